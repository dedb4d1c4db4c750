import { hash } from 'node:crypto'
import type { Cause, Incident } from './incident.ts'
import type { Redacted } from './redacted.ts'
import type { Heard, Standing, TakingOver } from './standing.ts'
import type { HeldTokens } from './vendor.ts'

/** A spending grant that was announced before it was sent, and is not yet known to have ended well. */
export interface Intent {
  readonly grant: string
  /** Fingerprint of the refresh token. */
  readonly token: string
  /** Enrollment version whose refresh token was spent; its successor is where the answer would be. */
  readonly versionId: string
  readonly at: Date
  /** `probe`: this was the one deliberate second sending; there will be no third. */
  readonly kind: 'first' | 'probe'
  /** The vendor answered no. */
  readonly refused: boolean
  /** The vendor has said since that the token is not used up. */
  readonly active?: boolean
  /** Fence of the run that announced the token first. Not in items of the first days. */
  readonly fence?: number
}

/**
 * One connection's item. Holds no secret: refresh tokens appear only as fingerprints, which cannot be
 * turned back (they are cut SHA-256 digests of values with at least 128 random bits, RFC 6749, 10.10).
 */
export interface LedgerItem {
  readonly vendor: string
  readonly connection: string
  /** Counts every write; each write names the one it follows, so no update is ever lost. */
  readonly revision: number
  /** Run and write that made this revision; no two writes share it. */
  readonly writer: string
  /** Counts runs that held the lease. */
  readonly fence: number
  /** Fence from which on sendings are on record: what was known before was deleted or rolled back. */
  readonly knownFrom?: number
  readonly dueAt: Date
  readonly lease?: { readonly runId: string; readonly expiresAt: Date }
  readonly intent?: Intent
  /** Fingerprints of refresh tokens that were sent, newest last. */
  readonly spent: readonly string[]
  /** Grants that spend nothing but were refused, with the credential that was refused. */
  readonly refused: readonly { readonly grant: string; readonly credentialId: string }[]
  /** Enrollment version last persisted by a run. */
  readonly versionId?: string
  /** Enrollment version that the last `enroll` wrote, until a run has persisted what follows it. */
  readonly enrolled?: string
  /** What consumers read, and where: `mirror` if Secrets Manager would not take the version. */
  readonly published?: {
    readonly versionId: string
    /** Its version of the consumer secret, if an order named it; else it follows from `versionId`. */
    readonly as?: string
    readonly issuedAt: Date
    /** `null`: a session that is kept alive. */
    readonly expiresAt: Date | null
    /** Whether the enrollment secret holds it too; if not, it is only here and with the consumers. */
    readonly held: boolean
    readonly where: 'secret' | 'mirror'
    /** Whether the vendor has confirmed the token; if not, it is asked again. */
    readonly proven: boolean
  }
  /**
   * Enrollment version whose token the vendor does not take while consumers need one: it is renewed at
   * once. Only the first of several in a row, until one works: what spoils them all is not mended by
   * spending more.
   */
  readonly rejected?: string
  readonly refreshExpiresAt?: Date
  /** Last sign of life of a session that is kept alive. */
  readonly aliveAt?: Date
  /** When the superseded sessions are to be ended. */
  readonly retireAt?: Date
  /** Somebody asked for a renewal although none is due. */
  readonly requested?: boolean
  /**
   * Secrets Manager asked for a renewal, which is to become this version of the consumer secret. What
   * was obtained under this fence or a later one answers it.
   */
  readonly ordered?: { readonly versionId: string; readonly fence: number }
  /** Failures in a row. */
  readonly attempts: number
  readonly rotations: number
  /** When versions were written, for the version budget of each secret. */
  readonly enrollmentWrites: readonly Date[]
  readonly consumerWrites: readonly Date[]
  readonly incident?: Incident
  /** Incidents that are over. */
  readonly incidents: number
  /** Facts about the vendor's side that are compared from run to run, e.g. a serial number. */
  readonly facts: Readonly<Record<string, string>>
  /** The region at work, as far as this ledger knows; absent as long as there is one region only. */
  readonly standing?: Standing
  /** The last spending grant that another region announced here. */
  readonly heard?: Heard
  readonly takingOver?: TakingOver
  /** Certificates met or used when the vendor was last asked. */
  readonly certificates?: readonly { readonly name: string; readonly notAfter: Date }[]
  /** The last outcomes, newest last, and what a person is told of them, delivered or not. */
  readonly history: readonly {
    readonly at: Date
    readonly outcome: string
    readonly cause?: Cause
  }[]
}

const spentKept = 64
const historyKept = 10

/** A connection that the ledger has not seen: due at once. */
export function newItem(owner: { vendor: string; connection: string }, now: Date): LedgerItem {
  return {
    ...owner,
    revision: 0,
    writer: '',
    fence: 0,
    dueAt: now,
    spent: [],
    refused: [],
    attempts: 0,
    rotations: 0,
    enrollmentWrites: [],
    consumerWrites: [],
    incidents: 0,
    facts: {},
    history: [],
  }
}

/** Identifies a refresh token without being one: 128 bits of a digest that no one can turn back. */
export function fingerprint(connection: string, refreshToken: Redacted): string {
  return hash('sha256', `${connection}\n${refreshToken.reveal()}`, 'base64url').slice(0, 22)
}

/** Whether another run is at work: an expired lease is free for whoever writes first. */
export function isLeased(item: LedgerItem, now: Date): boolean {
  return item.lease !== undefined && item.lease.expiresAt > now
}

/** Takes the lease and counts the fence up. */
export function acquired(item: LedgerItem, run: { runId: string; leaseUntil: Date }): LedgerItem {
  return { ...item, fence: item.fence + 1, lease: { runId: run.runId, expiresAt: run.leaseUntil } }
}

/**
 * Takes an order down, unless it stands there or has been carried out. It is due at once: should the
 * run that takes it die, the next tick carries it out.
 */
export function ordered(item: LedgerItem, versionId: string | undefined, now: Date): LedgerItem {
  if (versionId === undefined || item.published?.as === versionId) return item
  const order = { versionId, fence: item.fence }
  return {
    ...item,
    dueAt: now,
    ordered: item.ordered?.versionId === versionId ? item.ordered : order,
  }
}

/** Whether a renewal was asked for that what is held does not answer yet: an order is carried out once. */
export function isAsked(
  { requested = false, ordered }: LedgerItem,
  { fence }: { readonly fence?: number },
): boolean {
  return ordered === undefined ? requested : !answers(ordered, fence)
}

/** Whether a pair that a run with this fence wrote is newer than the order. */
export function answers(order: NonNullable<LedgerItem['ordered']>, fence?: number): boolean {
  return fence !== undefined && fence >= order.fence
}

/** A run that is about to wait long keeps its lease as long. */
export function extended(item: LedgerItem, leaseUntil: Date): LedgerItem {
  return item.lease === undefined
    ? item
    : { ...item, lease: { ...item.lease, expiresAt: leaseUntil } }
}

/** Announces a spending grant, and marks the token as sent, before it is. */
export function declared(item: LedgerItem, intent: Intent): LedgerItem {
  const spent = [...item.spent.filter((known) => known !== intent.token), intent.token].slice(
    -spentKept,
  )
  const isAgain = item.intent?.token === intent.token && item.intent.fence !== undefined
  const fence = isAgain ? item.intent.fence : item.fence
  return { ...item, intent: { ...intent, fence }, spent }
}

/** What another region has sent counts as sent here. */
export function spentAlso(item: LedgerItem, { spent }: Pick<LedgerItem, 'spent'>): LedgerItem {
  const others = item.spent.filter((known) => !spent.includes(known))
  return { ...item, spent: [...others, ...spent].slice(-spentKept) }
}

/** The grant certainly never left: the token is as good as before. A probe that never left may be made again. */
export function withdrawn(item: LedgerItem, before: LedgerItem): LedgerItem {
  const { intent: _, ...rest } = item
  return {
    ...rest,
    ...(before.intent === undefined ? {} : { intent: before.intent }),
    spent: before.spent,
  }
}

/** The vendor refused what was sent. */
export function refusedIntent(item: LedgerItem): LedgerItem {
  return item.intent === undefined ? item : { ...item, intent: { ...item.intent, refused: true } }
}

/**
 * The vendor says that the token was not used up: it may be sent again. It stays marked as sent: a run
 * that stood still at the very sending may yet go on, and then its pair is newer than this token.
 */
export function stillActive(item: LedgerItem): LedgerItem {
  return item.intent === undefined ? item : { ...item, intent: { ...item.intent, active: true } }
}

/** A grant that spends nothing was refused: not again with the same credential. */
export function refusedGrant(item: LedgerItem, grant: string, credentialId: string): LedgerItem {
  const others = item.refused.filter((known) => known.grant !== grant)
  return { ...item, refused: [...others, { grant, credentialId }] }
}

/**
 * The ledger knows less than the enrollment document: it was deleted or rolled back. Whether the
 * held refresh token was sent is no longer on record, so it counts as sent and in doubt.
 *
 * @param at when it may have been sent at the latest
 */
export function distrusted(
  item: LedgerItem,
  held: { versionId: string; fence: number; token: string | undefined },
  at: Date,
): LedgerItem {
  const caughtUp = { ...item, fence: held.fence + 1 }
  if (held.token === undefined) return caughtUp
  const intent: Intent = {
    grant: 'unknown',
    token: held.token,
    versionId: held.versionId,
    at,
    kind: 'first',
    refused: false,
  }
  return declared(caughtUp, intent)
}

/** A token in doubt is written into another version: it is in doubt there. */
export function doubtMoved(item: LedgerItem, tokens: HeldTokens, to: string): LedgerItem {
  if (item.intent === undefined || !isAnnounced(item, tokens)) return item
  return { ...item, intent: { ...item.intent, versionId: to } }
}

interface HeldVersion {
  readonly versionId: string
  readonly tokens: HeldTokens
}

/**
 * A pair is safe in Secrets Manager: whatever was in doubt is settled, unless this is the very version
 * whose token is in doubt, put back in its place.
 */
export function settled(item: LedgerItem, held: HeldVersion): LedgerItem {
  if (held.versionId === item.intent?.versionId) return { ...item, versionId: held.versionId }
  const { intent, enrolled: _, refreshExpiresAt: __, ...rest } = item
  const { refreshExpiresAt } = held.tokens
  // A server that does not rotate refresh tokens hands the same one back: it may be sent again.
  const isSame = isAnnounced(item, held.tokens)
  return {
    ...rest,
    versionId: held.versionId,
    ...(refreshExpiresAt === undefined ? {} : { refreshExpiresAt }),
    spent: isSame ? item.spent.filter((known) => known !== intent?.token) : item.spent,
  }
}

/**
 * Whether the token in doubt stands in a version that a run wrote beside the one it was sent from: its
 * server handed it back, whoever of several runs it answered.
 */
export function isHandedBack(item: LedgerItem, held: HeldVersion & { fence?: number }): boolean {
  const { versionId, fence: announced = 0 } = item.intent ?? {}
  // An older version with the same token is one that a person has put back.
  const isLater = held.fence !== undefined && held.fence >= announced
  return isLater && held.versionId !== versionId && isAnnounced(item, held.tokens)
}

/** Whether the refresh token among these was sent; none was not. */
export function wasSent(
  { connection, spent }: Pick<LedgerItem, 'connection' | 'spent'>,
  { refreshToken }: HeldTokens,
): boolean {
  return refreshToken !== undefined && spent.includes(fingerprint(connection, refreshToken))
}

/** Whether this is the token that was announced last. */
export function isAnnounced(
  { connection, intent }: LedgerItem,
  { refreshToken }: HeldTokens,
): boolean {
  if (intent === undefined || refreshToken === undefined) return false
  return intent.token === fingerprint(connection, refreshToken)
}

/** Ends a run: the lease is given up and the outcome written down. */
export function released(
  item: LedgerItem,
  end: { now: Date; dueAt: Date; outcome: string; failed: boolean; cause?: Cause },
): LedgerItem {
  const { lease: _, requested, ...rest } = item
  return {
    ...rest,
    // What was asked for and failed is still asked for.
    ...(end.failed && requested ? { requested } : {}),
    dueAt: end.dueAt,
    attempts: end.failed ? item.attempts + 1 : 0,
    history: [
      ...item.history,
      {
        at: end.now,
        outcome: end.outcome,
        ...(end.cause === undefined ? {} : { cause: end.cause }),
      },
    ].slice(-historyKept),
  }
}
