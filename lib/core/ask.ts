import type { Enrollment } from './documents.ts'
import { isRotatorError } from './errors.ts'
import { refusedIntent, stillActive } from './ledger.ts'
import type { Held } from './publish.ts'
import { type Context, callNow } from './run.ts'
import type { VendorClient, Verified } from './vendor.ts'

/**
 * Asks the vendor what a doubtful refresh token is worth: still good, then it was never used up; or
 * not, then nothing is gained by waiting. If the vendor cannot say, all stays as it is.
 */
export async function introspect(
  held: Enrollment,
  client: VendorClient,
  context: Context,
): Promise<void> {
  const { refreshToken } = held.tokens
  if (client.introspect === undefined || refreshToken === undefined) return
  const answer = await client.introspect(refreshToken, callNow(context)).catch((error) => {
    if (!isRotatorError(error)) throw error
    return undefined
  })
  if (answer === undefined) return
  await context.ledger.commit(answer === 'active' ? stillActive : refusedIntent)
}

/**
 * Asks a session to live on, without writing any secret; its sign of life stands in the ledger.
 *
 * @returns what was noticed on the way, or `undefined` if the session is dead
 * @throws {AnyRotatorError} it could not be found out; the next tick asks again
 */
export async function keepAlive(
  held: Held,
  client: VendorClient,
  context: Context,
): Promise<Verified | undefined> {
  const now = context.ports.clock.now()
  const sign = await client.keepAlive?.(held.tokens, callNow(context))
  if (sign !== undefined) {
    context.ledger.stage((item) => ({
      ...item,
      aliveAt: now,
      facts: { ...item.facts, ...sign.facts },
      ...(sign.certificates === undefined ? {} : { certificates: sign.certificates }),
    }))
  }
  return sign
}

/** What is left of a document once its session has died. */
export function withoutSession(held: Enrollment): Enrollment {
  return { ...held, tokens: {} }
}
