import type { Connection } from './connection.ts'
import { type Enrollment, isTokenSet } from './documents.ts'
import type { Cause } from './incident.ts'
import { fingerprint, type LedgerItem } from './ledger.ts'
import {
  earliest,
  later,
  latest,
  leastSeconds,
  nearlyOutAt,
  renewAt,
  type Timings,
  versionBudget,
  withinWindow,
} from './renewal.ts'
import type { Grant, HeldTokens } from './vendor.ts'

/** All that a decision depends on. */
export interface Situation {
  readonly connection: Pick<Connection, 'id' | 'renew'>
  readonly grants: readonly Grant[]
  /** The newest usable document, promoted. */
  readonly held: Enrollment
  readonly item: LedgerItem
  readonly now: Date
  /** Renew although it is not due: somebody asked for it. */
  readonly forced: boolean
  /** How long a session lives without a call, if the vendor has sessions that are kept alive. */
  readonly idleSeconds?: number | undefined
  /** Whether the vendor can still be asked, in this run, what a doubtful refresh token is worth. */
  readonly canIntrospect: boolean
  readonly timings: Timings
}

/** What a run does next. */
export type Decision =
  /** All is well until then. */
  | { readonly do: 'skip'; readonly until: Date }
  /** Consumers do not have what is held; `blocked`: and what should follow it cannot be had now. */
  | { readonly do: 'publish'; readonly blocked?: Blocked }
  /** The session would idle out. */
  | { readonly do: 'keep-alive' }
  /** The vendor can tell whether a doubtful token was used up. */
  | { readonly do: 'introspect' }
  /** Superseded sessions have outlived every cache. */
  | { readonly do: 'retire' }
  /** `probe`: the one deliberate second sending of a token whose answer went missing. */
  | { readonly do: 'renew'; readonly grant: Grant; readonly probe: boolean }
  | Blocked

/** Nothing safe can be done now; it is looked at again, and a person is told if one can help. */
export interface Blocked {
  readonly do: 'blocked'
  /** Absent: it is soon known by itself, so nobody is told yet. */
  readonly cause?: Cause
  readonly message: string
  readonly until?: Date
}

/** Decides the next step of a run. No I/O: the same situation gives the same decision. */
export function decide(situation: Situation): Decision {
  const { connection, held, item, now, forced, timings } = situation
  const isDue =
    forced ||
    item.rejected === held.versionId ||
    now >= renewAt(connection, dated(held, item), timings)
  const unpublished = isTokenSet(held.tokens) && !isPublished(item, held)
  const pulse = pulseAt(situation)
  const isQuiet = pulse !== undefined && now >= pulse
  // A session that an interrupted run left behind may have idled out: it is asked before it is published.
  if (!isDue && unpublished) return { do: isQuiet ? 'keep-alive' : 'publish' }
  if (item.retireAt !== undefined && now >= item.retireAt) return { do: 'retire' }
  if (isDue) {
    const decision = renewal(situation)
    // Nothing newer is to be had for now: what is held serves consumers as long as it lives.
    const serves = unpublished && (held.tokens.expiresAt ?? now) > now
    return decision.do === 'blocked' && serves ? { do: 'publish', blocked: decision } : decision
  }
  if (isQuiet) return { do: 'keep-alive' }
  return { do: 'skip', until: nextDue(situation) }
}

type Standing = Pick<Situation, 'held' | 'item' | 'idleSeconds' | 'timings'>

/** When there is something to do again, if nothing goes wrong: renew, retire or keep alive. */
export function nextDue(situation: Standing & Pick<Situation, 'connection'>): Date {
  const { connection, held, item, timings } = situation
  const due = renewAt(connection, dated(held, item), timings)
  return earliest(due, item.retireAt, pulseAt(situation)) ?? due
}

/** The instants that count: of what is held, or of what was published without being held. */
function dated({ tokens }: Enrollment, { published }: LedgerItem): HeldTokens {
  if (tokens.accessToken !== undefined || published === undefined || published.held) return tokens
  return { issuedAt: published.issuedAt, expiresAt: published.expiresAt }
}

/** When a session is to be asked to live on, if the vendor has such sessions. */
function pulseAt({ held, item, idleSeconds, timings }: Standing): Date | undefined {
  const { expiresAt, issuedAt } = held.tokens
  if (expiresAt !== null || idleSeconds === undefined) return undefined
  const last = item.aliveAt ?? issuedAt
  return last === undefined ? undefined : later(last, timings.keepAliveSeconds)
}

/** Whether the consumer secret itself, not only its mirror, has the held token, and the vendor knows it. */
function isPublished({ published }: LedgerItem, held: Enrollment): boolean {
  return (
    published !== undefined &&
    published.versionId === held.versionId &&
    published.where === 'secret' &&
    published.proven
  )
}

function renewal(situation: Situation): Decision {
  const { grants, held, item, now, connection } = situation
  const { refreshToken } = held.tokens
  const token = refreshToken === undefined ? undefined : fingerprint(connection.id, refreshToken)
  const sent = token !== undefined && item.spent.includes(token)
  const usable = grants.filter((grant) => grant.usable(held.tokens, now))
  const grant = usable.find((candidate) =>
    candidate.spends === 'refresh-token' ? !sent : !isRefused(item, candidate, held),
  )
  if (grant !== undefined) return withinBudget(situation, { do: 'renew', grant, probe: false })

  const inDoubt = usable.find((candidate) => candidate.spends === 'refresh-token')
  if (inDoubt !== undefined) return doubtful(situation, inDoubt, token)
  return {
    do: 'blocked',
    cause: 'enrollment-required',
    message: noGrant(situation, refreshToken !== undefined),
  }
}

/** The token was sent and its pair is nowhere: wait while consumers are served, then try it just once more. */
function doubtful(situation: Situation, grant: Grant, token: string | undefined): Decision {
  const { item, now, timings } = situation
  const { intent } = item
  if (intent === undefined || intent.token !== token) {
    return {
      do: 'blocked',
      cause: 'enrollment-required',
      message: 'the refresh token in the enrollment secret is one that was already sent',
    }
  }
  if (intent.refused) {
    return {
      do: 'blocked',
      cause: 'enrollment-required',
      message: 'the vendor refused the refresh token',
    }
  }
  if (intent.active) return withinBudget(situation, { do: 'renew', grant, probe: false })
  const answered = later(intent.at, answerSeconds(timings))
  if (situation.canIntrospect) {
    if (now >= answered) return { do: 'introspect' }
    return {
      do: 'blocked',
      message:
        'a refresh token was sent and its answer is missing; the vendor is asked whether it was used up as soon as no late answer can come',
      until: answered,
    }
  }
  if (intent.kind === 'probe') {
    return {
      do: 'blocked',
      cause: 'enrollment-required',
      message: 'no answer came to the refresh token, nor to the one repetition',
    }
  }
  // Early enough for an answer, and what follows it, to come while the published token is fresh.
  const nearlyOut =
    item.published === undefined
      ? answered
      : later(nearlyOutAt(item.published, timings), -leastSeconds(timings))
  const probeAt = latest(nearlyOut, answered)
  if (now >= probeAt) return withinBudget(situation, { do: 'renew', grant, probe: true })
  return {
    do: 'blocked',
    cause: 'token-at-risk',
    message:
      'a refresh token was sent and its answer is missing; the published token is served on, and the refresh token will be sent once more when that is nearly out',
    until: probeAt,
  }
}

/** An answer that has not come, and been persisted, after this long will not come: the run is over. */
export function answerSeconds(timings: Timings): number {
  return leastSeconds(timings) + timings.leaseGraceSeconds
}

/** A pair that no version may take is not asked for, as long as asking would spend something. */
function withinBudget(situation: Situation, renew: Extract<Decision, { do: 'renew' }>): Decision {
  const { item, now, timings } = situation
  if (renew.grant.spends === 'nothing') return renew
  if (versionBudget(item.enrollmentWrites, now, timings) > 0) return renew
  const oldest = earliest(...withinWindow(item.enrollmentWrites, now, timings))
  return {
    do: 'blocked',
    cause: 'version-budget',
    message:
      'the enrollment secret has no room for another version within 24 hours; nothing is spent until the oldest ages out',
    ...(oldest === undefined ? {} : { until: later(oldest, timings.versionWindowSeconds) }),
  }
}

/** Whether there is a grant that spends nothing, and has not been refused. */
export function canAskAtWill({
  grants,
  held,
  item,
  now,
}: Pick<Situation, 'grants' | 'held' | 'item' | 'now'>): boolean {
  return grants.some(
    (grant) =>
      grant.spends === 'nothing' && grant.usable(held.tokens, now) && !isRefused(item, grant, held),
  )
}

function isRefused(item: LedgerItem, grant: Grant, held: Enrollment): boolean {
  return item.refused.some(
    (known) => known.grant === grant.name && known.credentialId === held.credentialId,
  )
}

function noGrant({ grants, held, item }: Situation, hasRefreshToken: boolean): string {
  const refused = grants.filter((grant) => isRefused(item, grant, held)).map((grant) => grant.name)
  if (refused.length > 0) {
    return `the vendor refused the enrolled credential (${refused.join(', ')}); it is not presented again until it changes`
  }
  return hasRefreshToken
    ? 'the held refresh token has run out'
    : 'the enrollment secret holds no refresh token and no other credential that this vendor takes'
}
