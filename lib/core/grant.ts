import { askLeave, lookAround } from './announce.ts'
import type { Decision } from './decide.ts'
import type { Enrollment } from './documents.ts'
import {
  describeError,
  GrantRefusedError,
  mayHaveSpent,
  ResponseError,
  TransportError,
} from './errors.ts'
import {
  declared,
  extended,
  fingerprint,
  type LedgerItem,
  refusedGrant,
  refusedIntent,
  withdrawn,
} from './ledger.ts'
import { untilDeadline, untilRunEnds } from './persist.ts'
import type { Ending } from './release.ts'
import { later, leastSeconds } from './renewal.ts'
import { type Context, callNow } from './run.ts'
import type { RefreshOnly, TokenSet } from './vendor.ts'

/**
 * New tokens; or why the vendor gave none, then the store is read again before anything else, and should
 * the answer hold a new refresh token all the same, that is kept; or how the run ends, as another region
 * gave no leave.
 */
export type Granted =
  | { readonly tokens: TokenSet }
  | {
      readonly error: { readonly code: string; readonly message: string }
      readonly kept?: RefreshOnly
    }
  | { readonly ending: Ending }

/**
 * Asks the vendor. A grant that spends is announced in the ledger first, sent once, and waits for its
 * answer as long as the run can: a time-out shorter than the vendor's worst day makes lost pairs.
 *
 * @throws {AnyRotatorError} nothing was spent; the next run tries again
 */
export async function grant(
  { grant, probe }: Extract<Decision, { do: 'renew' }>,
  held: Enrollment,
  context: Context,
): Promise<Granted> {
  if (grant.spends === 'nothing') {
    const ending = await lookAround(context)
    return ending === undefined ? grantSpendingNothing(grant, held, context) : { ending }
  }
  const { run, ports, ledger } = context
  const { refreshToken } = held.tokens
  if (refreshToken === undefined) throw new TransportError('no refresh token is held', 'no')

  await grant.prepare?.(callNow(context))
  const before = ledger.item
  const token = fingerprint(run.connection.id, refreshToken)
  const { versionId } = held
  const kind = probe ? 'probe' : 'first'
  const ending = await askLeave({ token, kind, versionId }, context)
  if (ending !== undefined) return { ending }
  const at = ports.clock.now()
  requireTime(context)
  const leaseUntil = later(ledger.deadline, ports.timings.leaseGraceSeconds)
  const intent = { grant: grant.name, token, versionId, at, kind, refused: false } as const
  await untilDeadline(() => ledger.commit((item) => declared(extended(item, leaseUntil), intent)), {
    ...ports,
    deadline: later(ledger.deadline, -leastSeconds(ports.timings)),
  })
  try {
    // Time may have stood still between the announcement and now; a late sending would meet another run's.
    const timeoutSeconds = requireTime(context)
    return { tokens: await grant.request(held.tokens, callNow(context, timeoutSeconds)) }
  } catch (error) {
    if (error instanceof GrantRefusedError) {
      await putOnRecord(refusedIntent, context)
      return { error: describeError(error) }
    }
    const kept = error instanceof ResponseError ? error.kept : undefined
    // The one that was sent, said again, is none.
    if (kept !== undefined && fingerprint(run.connection.id, kept.refreshToken) !== token) {
      return { error: describeError(error), kept }
    }
    // The intent stays open: whether the token was spent is in doubt.
    if (mayHaveSpent(error)) return { error: describeError(error) }
    ledger.stage((item) => withdrawn(item, before))
    throw error
  }
}

async function grantSpendingNothing(
  grant: Extract<Decision, { do: 'renew' }>['grant'],
  held: Enrollment,
  context: Context,
): Promise<Granted> {
  const call = callNow(context)
  const facts = grant.announces?.(call)
  // What is announced, e.g. a one-time code, is good for a moment only, and by a clock that is right.
  const isLate = () => {
    const now = context.ports.clock.now()
    return facts !== undefined && (now > later(call.now, call.timeoutSeconds) || now < call.now)
  }
  if (facts !== undefined && Object.keys(facts).length > 0) {
    const ending = await askLeave({ facts }, context)
    if (ending !== undefined) return { ending }
    await context.ledger.commit((item) => ({ ...item, facts: { ...item.facts, ...facts } }))
  }
  if (isLate()) {
    throw new TransportError(
      'this run stood still after it had announced what it would send; nothing was sent',
      'no',
    )
  }
  try {
    return { tokens: await grant.request(held.tokens, call) }
  } catch (error) {
    // Refused because it stood still on its way: that says nothing about the credential.
    if (!(error instanceof GrantRefusedError) || isLate()) throw error
    await putOnRecord((item) => refusedGrant(item, grant.name, held.credentialId), context)
    return { error: describeError(error) }
  }
}

/** What the vendor said is kept for the end of the run as well, should the ledger not take it now. */
async function putOnRecord(change: (item: LedgerItem) => LedgerItem, context: Context) {
  const { ledger } = context
  ledger.stage(change)
  await untilRunEnds(() => ledger.commit(), context)
}

/** Seconds that an answer may take: what is left of the run after keeping time to persist it. */
function requireTime({ ports, ledger }: Context): number {
  const left = (ledger.deadline.getTime() - ports.clock.now().getTime()) / 1000
  if (left < leastSeconds(ports.timings)) {
    throw new TransportError(
      `only ${Math.round(left)} s of this run are left, too few to wait for an answer; nothing was sent`,
      'no',
    )
  }
  return left - ports.timings.persistReserveSeconds
}
