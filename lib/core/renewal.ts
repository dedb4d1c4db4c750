import { hash } from 'node:crypto'
import type { InferOutput } from 'valibot'
import type { Renew } from './connection.ts'
import type { HeldTokens } from './vendor.ts'

/** Every duration the engine lives by, in seconds; an input, so that a simulation can compress them. */
export interface Timings {
  /** Lower bound of the margin before expiry, while the lifetime allows it. */
  readonly marginFloorSeconds: number
  /** Lease of a run that has not sent anything it could lose; a spending grant makes it as long as the run. */
  readonly leaseSeconds: number
  /** Lease beyond the end of what it covers. */
  readonly leaseGraceSeconds: number
  /** Kept back from a grant's patience for persisting what it gives. */
  readonly persistReserveSeconds: number
  /** A grant that spends waits at least this long for its answer. */
  readonly spendingPatienceSeconds: number
  /** A call that spends nothing may give up after this. */
  readonly idlePatienceSeconds: number
  /** Secrets Manager gets this long to acknowledge a pair before the escrow is used as well. */
  readonly escrowAfterSeconds: number
  /** Pause between two tries of a store within a run. */
  readonly storeRetrySeconds: number
  /** Waits after the first, second, … failed attempt; the last one repeats. */
  readonly backoffSeconds: readonly number[]
  /** Silence after which a session is asked to live on: less than the time between two ticks. */
  readonly keepAliveSeconds: number
  /** How long consumers may keep a token in a cache: a superseded session is ended only after this. */
  readonly overlapSeconds: number
  /** Secrets Manager keeps 100 versions younger than this. */
  readonly versionWindowSeconds: number
}

/**
 * What is used on AWS. The overlap is the cache of the Parameters and Secrets extension (300 s by
 * default and at most); the window is Secrets Manager's 24 h. Ticks come once a minute, give or take
 * some seconds, and each of them is to find a session silent.
 */
export const defaultTimings: Timings = {
  marginFloorSeconds: 600,
  leaseSeconds: 60,
  leaseGraceSeconds: 30,
  persistReserveSeconds: 20,
  spendingPatienceSeconds: 60,
  idlePatienceSeconds: 10,
  escrowAfterSeconds: 1,
  storeRetrySeconds: 0.25,
  backoffSeconds: [60, 120, 240, 480, 900],
  keepAliveSeconds: 45,
  overlapSeconds: 300,
  versionWindowSeconds: 86_400,
}

/** Secrets Manager's quota of versions younger than 24 h. */
export const versionQuota = 100

// Left unspent of the quota: an enrollment by hand, and one repair of an interrupted run.
const versionReserve = 2

/** The latest instant there is. */
const never = new Date(8.64e15)

/** An instant `seconds` after `instant`; negative is before. */
export function later(instant: Date, seconds: number): Date {
  return new Date(instant.getTime() + seconds * 1000)
}

export function earliest(...instants: readonly (Date | undefined)[]): Date | undefined {
  let first: Date | undefined
  for (const instant of instants) {
    if (instant !== undefined && (first === undefined || instant < first)) first = instant
  }
  return first
}

export function latest(one: Date, other: Date): Date {
  return one > other ? one : other
}

/** How long before expiry a token is renewed: min(max(lifetime/4, floor), lifetime/3), in seconds. */
export function marginSeconds(lifetimeSeconds: number, timings: Timings): number {
  return Math.min(Math.max(lifetimeSeconds / 4, timings.marginFloorSeconds), lifetimeSeconds / 3)
}

/**
 * How long after it was issued a token is renewed, in seconds: a margin before its end, and earlier by
 * `jitter` (0 to 1) tenths of the margin. Spreading out never pushes a short token below the ten
 * minutes that AWS wants between two versions.
 */
export function renewalSeconds(lifetimeSeconds: number, jitter: number, timings: Timings): number {
  const margin = marginSeconds(lifetimeSeconds, timings)
  const soonest = Math.min(lifetimeSeconds - margin, timings.marginFloorSeconds)
  return Math.max(lifetimeSeconds - (1 + jitter / 10) * margin, soonest)
}

// Every decision asks for it, and a process has few connections.
const jitters = new Map<string, number>()

/** A number from 0 up to 1 that belongs to a connection: equal expiries spread out, and stay spread. */
export function jitterOf(connection: string): number {
  const known = jitters.get(connection)
  if (known !== undefined) return known
  const jitter = hash('sha256', connection, 'buffer').readUInt32BE(0) / 2 ** 32
  jitters.set(connection, jitter)
  return jitter
}

/**
 * When what is held must be renewed: a margin before the access token expires, earlier by up to a
 * tenth of the margin, and likewise before the refresh token expires. Nothing held is due at once; a
 * session that is kept alive is never due.
 */
export function renewAt(
  connection: { id: string; renew?: InferOutput<typeof Renew> },
  tokens: Pick<HeldTokens, 'issuedAt' | 'expiresAt' | 'refreshExpiresAt' | 'renewAt'>,
  timings: Timings,
): Date {
  const { issuedAt, expiresAt, refreshExpiresAt } = tokens
  if (issuedAt === undefined || expiresAt === undefined) return new Date(0)
  const jitter = jitterOf(connection.id)
  const before = (end: Date) => {
    const lifetime = (end.getTime() - issuedAt.getTime()) / 1000
    return later(issuedAt, renewalSeconds(lifetime, jitter, timings))
  }
  const every = connection.renew?.everySeconds
  const due = earliest(
    expiresAt === null ? undefined : before(expiresAt),
    refreshExpiresAt === undefined ? undefined : before(refreshExpiresAt),
    every === undefined ? undefined : later(issuedAt, every),
    tokens.renewAt,
  )
  return due ?? never
}

/** When a published token has only half of its margin left: from here on, freshness is at stake. */
export function nearlyOutAt(
  token: { issuedAt: Date; expiresAt: Date | null },
  timings: Timings,
): Date {
  if (token.expiresAt === null) return never
  const lifetime = (token.expiresAt.getTime() - token.issuedAt.getTime()) / 1000
  return later(token.expiresAt, -marginSeconds(lifetime, timings) / 2)
}

/** Seconds to wait after `attempts` failures in a row, earlier by up to a tenth. */
export function backoffSeconds(attempts: number, connection: string, timings: Timings): number {
  const steps = timings.backoffSeconds
  const step = steps[Math.min(Math.max(attempts, 1), steps.length) - 1] ?? 0
  return step * (1 - jitterOf(connection) / 10)
}

/** A run with less than this left, in seconds, sends nothing that it could lose. */
export function leastSeconds(timings: Timings): number {
  return timings.spendingPatienceSeconds + timings.persistReserveSeconds
}

/** Drops what has left the window. */
export function withinWindow(writes: readonly Date[], now: Date, timings: Timings): Date[] {
  const since = later(now, -timings.versionWindowSeconds)
  return writes.filter((write) => write > since)
}

/** Versions that may still be written before Secrets Manager might refuse one; never below 0. */
export function versionBudget(writes: readonly Date[], now: Date, timings: Timings): number {
  return Math.max(0, versionQuota - versionReserve - withinWindow(writes, now, timings).length)
}
