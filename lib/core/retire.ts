import { type Enrollment, isTokenSet } from './documents.ts'
import type { LedgerItem } from './ledger.ts'
import { type Context, callNow } from './run.ts'
import type { Grant, TokenSet, VendorClient } from './vendor.ts'

/**
 * The token sets to be ended once what was issued then has replaced what was held. A refresh carries its session
 * on; a grant that starts anew leaves the old session behind, to be ended when no cache serves it any more.
 */
export function supersededBy(
  { issuedAt }: { readonly issuedAt: Date },
  held: Enrollment,
  grant: Grant,
  client: VendorClient,
  item: LedgerItem,
): readonly TokenSet[] {
  if (client.revoke === undefined) return []
  const pending = item.retireAt === undefined ? [] : held.superseded
  const isLeft = grant.spends === 'nothing' || grant.revokesHeld === true
  const living = isTokenSet(held.tokens) && isLeft && isAlive(held.tokens, issuedAt)
  return living ? [...pending, held.tokens as TokenSet] : pending
}

function isAlive({ expiresAt, refreshExpiresAt }: TokenSet, now: Date): boolean {
  if (expiresAt === null || expiresAt > now) return true
  return refreshExpiresAt !== undefined && refreshExpiresAt > now
}

/** Ends the superseded sessions, once. What cannot be ended runs out by itself, so failing here fails nothing. */
export async function retire(
  held: Enrollment,
  client: VendorClient,
  context: Context,
): Promise<void> {
  if (held.superseded.length > 0 && isTokenSet(held.tokens)) {
    const fate = await client
      .revoke?.(held.superseded, held.tokens, callNow(context))
      .catch(() => undefined)
    if (fate === 'held-ended') context.ledger.stage((item) => ({ ...item, requested: true }))
  }
  context.ledger.stage(({ retireAt: _, ...rest }) => rest)
}
