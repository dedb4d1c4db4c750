import { consumerSecretId } from './documents.ts'
import { describeError, StoreError } from './errors.ts'
import { eventType, type RotatorEvent } from './events.ts'
import { staleAt } from './freshness.ts'
import { type Cause, type Incident, needsReading, tell, tellingKey } from './incident.ts'
import { isLeased, type LedgerItem, released } from './ledger.ts'
import { untilRunEnds } from './persist.ts'
import { backoffSeconds, earliest, later, type Timings, versionBudget } from './renewal.ts'
import type { Context } from './run.ts'
import type { Vendor } from './vendor.ts'
import { type Expiring, factName, factValue } from './verify.ts'
import { stepsFor, wordsFor } from './words.ts'

/** How the steps of a run ended, before the lease is released. */
export interface Ending {
  readonly outcome: /** Not due. */
    | 'unchanged'
    /** Renewed and published. */
    | 'rotated'
    /** Renewed by sending a doubtful refresh token the second and last time. */
    | 'recovered'
    /** A pair that an earlier run left behind was adopted. */
    | 'resumed'
    /** What was held has been published. */
    | 'published'
    /** The session was asked to live on, and does. */
    | 'kept-alive'
    /** Superseded sessions were ended. */
    | 'retired'
    /** Another region is at work. */
    | 'standby'
    /** Nobody has enrolled yet. */
    | 'unenrolled'
    /** A person is needed, or time. */
    | 'blocked'
    /** The next tick tries again. */
    | 'failed'
  /** What a person is told. */
  readonly cause?: Cause
  readonly message?: string
  /** What went wrong on the way; a description, fit to be shown. */
  readonly error?: { readonly code: string; readonly message: string }
  readonly warning?: string
  /** Certificates whose end a person is to be told of now. */
  readonly expiring?: readonly Expiring[]
  /** When there is something to do again; a failure comes back sooner, by its back-off. */
  readonly dueAt?: Date
}

/** What a run tells its caller. Holds no secret. */
export interface Outcome extends Omit<Ending, 'outcome'> {
  readonly connection: string
  readonly outcome: Ending['outcome'] | 'lease-held' | 'deferred'
}

/** An attempt that the next tick repeats. */
export function failed(error: unknown, cause?: Cause): Ending {
  const described = describeError(error)
  return {
    outcome: 'failed',
    error: described,
    message: described.message,
    ...(cause === undefined ? {} : { cause }),
  }
}

/**
 * Release ‖ emit: tells whoever must be told, gives up the lease and writes the outcome down.
 *
 * @throws {LeaseHeldError} another run has taken over, and tells what there is to tell
 */
export async function conclude(ending: Ending, context: Context): Promise<Outcome> {
  const { run, ports, ledger } = context
  const { timings } = ports
  const now = ports.clock.now()
  const isFailure = ending.outcome === 'failed' || ending.outcome === 'blocked'
  const retryAt = retryTime(ledger.item, ending, now, timings)
  const dueAt = (isFailure ? earliest(ending.dueAt, retryAt) : ending.dueAt) ?? retryAt

  const causes = ending.cause === undefined ? [] : [ending.cause]
  if (isFailure) causes.push(...atStake(ledger.item, run.vendor, now, timings))
  for (const cause of causes) await announce(cause, ending, now, context)
  // A run that failed has not seen that all is well, even if it harms nobody yet.
  if (!isFailure && isWell(ending, ledger.item)) await closeIncident(ending, now, context)
  for (const certificate of ending.expiring ?? []) await warn(certificate, ending, now, context)
  if (ending.outcome === 'rotated') {
    await emit('Token Rotated', `${run.runId}/rotated`, ending, now, context)
  }

  try {
    const { outcome, cause } = ending
    const end = {
      now,
      dueAt,
      outcome,
      failed: isFailure,
      ...(cause === undefined ? {} : { cause }),
    }
    await untilRunEnds(() => ledger.commit((item) => released(item, end)), context)
  } catch (error) {
    // The lease runs out by itself; what was done is stored, and the next run finds it.
    return { connection: run.connection.id, error: describeError(error), ...ending, dueAt }
  }
  return { connection: run.connection.id, ...ending, dueAt }
}

/**
 * When a failed run is repeated: by the back-off, but while the published token lives never after
 * more than a quarter of what is left of it, so that a vendor who answers now and then is met in time.
 */
function retryTime(item: LedgerItem, { cause }: Ending, now: Date, timings: Timings): Date {
  const byBackoff = later(now, backoffSeconds(item.attempts + 1, item.connection, timings))
  const end = item.published?.expiresAt
  // A session dies of silence: unless there is more to it, the next tick asks again, or begins another.
  // One that stands in the mirror wants to be kept alive as much.
  if (end === null && (cause === undefined || cause === 'version-budget')) {
    return earliest(byBackoff, later(now, timings.keepAliveSeconds)) ?? byBackoff
  }
  if (!end || end <= now) return byBackoff
  return earliest(byBackoff, later(now, (end.getTime() - now.getTime()) / 4000)) ?? byBackoff
}

/** Whether an incident is over: nothing is in doubt, and consumers read a proven token from the secret itself. */
function isWell({ outcome }: Ending, { published, intent }: LedgerItem): boolean {
  const isProven = published?.where !== 'mirror' && published?.proven !== false
  return outcome !== 'unenrolled' && outcome !== 'standby' && intent === undefined && isProven
}

/** Tells of a certificate's end once for each of its thresholds. Not an incident: the token works. */
async function warn(certificate: Expiring, ending: Ending, now: Date, context: Context) {
  const name = factName(certificate)
  const key = `${context.run.connection.id}/${name}/${factValue(certificate)}`
  const message = `the certificate "${certificate.name}" ends at ${certificate.notAfter.toISOString()}; replace it before`
  const told = await emit('Token Rotation Failed', key, ending, now, context, {
    message,
    ...telling('certificate-expiring', message, true, now, context),
  })
  if (!told) return
  context.ledger.stage((item) => ({
    ...item,
    facts: { ...item.facts, [name]: factValue(certificate) },
  }))
}

/** What else a failing run puts at stake, beside its own cause. */
function atStake(item: LedgerItem, vendor: Vendor, now: Date, timings: Timings): Cause[] {
  const causes: Cause[] = []
  const { refreshExpiresAt } = item
  const stale = staleAt(item, vendor, timings)
  // Never published yet: a newcomer's first tries may fail twice before someone is called.
  const isStale = stale === undefined ? item.attempts >= 2 : now >= stale
  if (isStale) causes.push('freshness-at-risk')
  const { refreshAlarmSeconds } = vendor
  if (refreshExpiresAt !== undefined && refreshAlarmSeconds !== undefined) {
    if (now >= later(refreshExpiresAt, -refreshAlarmSeconds)) causes.push('refresh-token-expiring')
  }
  return causes
}

async function announce(cause: Cause, ending: Ending, now: Date, context: Context): Promise<void> {
  const { ledger, ports } = context
  const next = { id: incidentId(ledger.item), now }
  const { incident, isNews } = tell(ledger.item.incident, cause, next)
  if (!isNews) return
  // On record before anybody hears of it: whoever repeats this telling does so under the same key,
  // and a run that has lost its lease, and so may know less than another one, does not tell.
  const { told: before = [] } = ledger.item.incident ?? {}
  ledger.stage((item) => ({ ...item, incident: { ...incident, told: before } }))
  try {
    await ledger.commit()
  } catch (error) {
    // No ledger is no reason to be silent: better told twice than never. But without the lease another
    // run is at work, and tells what there is to tell.
    if (!(error instanceof StoreError) || !isLeased(ledger.item, ports.clock.now())) throw error
  }
  const key = tellingKey(incident, cause)
  const told = await emit(eventType(cause), key, ending, now, context, {
    incident: incident.id,
    ...telling(cause, ending.message, needsReading(before, cause), now, context),
  })
  // Not delivered: told again by the next run, under the same key.
  if (told) ledger.stage((item) => ({ ...item, incident }))
}

/**
 * Names the next incident by what the ledger knew before it: whoever tells of it again, because nothing
 * could be written down, does so under the same name.
 */
function incidentId({ connection, published, incidents }: LedgerItem): string {
  return `${connection}/${published?.versionId ?? 'unpublished'}/${incidents}`
}

async function closeIncident(ending: Ending, now: Date, context: Context): Promise<void> {
  const { ledger, ports } = context
  const { incident } = ledger.item
  if (incident === undefined) return
  // One version fits again, and the next may not: a person is not told of each swing. What was told
  // of the budget stands until there is room; anything else is over, and would be news again.
  const stays =
    incident.told.includes('version-budget') && isOutOfVersions(ledger.item, now, ports.timings)
  if (stays && incident.told.length === 1) return
  const told = await emit('Token Recovered', `${incident.id}/recovered`, ending, now, context, {
    incident: incident.id,
  })
  if (!told) return
  ledger.stage(({ incident: _, ...item }) => {
    const closed = { ...item, incidents: item.incidents + 1 }
    if (!stays) return closed
    const rest: Incident = { id: incidentId(closed), openedAt: now, told: ['version-budget'] }
    return { ...closed, incident: rest }
  })
}

function isOutOfVersions(item: LedgerItem, now: Date, timings: Timings): boolean {
  return [item.consumerWrites, item.enrollmentWrites].some(
    (writes) => versionBudget(writes, now, timings) === 0,
  )
}

async function emit(
  type: RotatorEvent['type'],
  idempotencyKey: string,
  ending: Ending,
  now: Date,
  { run, ports, ledger }: Context,
  extra: Partial<RotatorEvent['detail']> = {},
): Promise<boolean> {
  const { published } = ledger.item
  const event: RotatorEvent = {
    type,
    idempotencyKey,
    detail: {
      schema: 1,
      connection: run.connection.id,
      vendor: run.vendor.id,
      at: now.toISOString(),
      outcome: ending.outcome,
      ...(ending.message === undefined || type === 'Token Recovered'
        ? {}
        : { message: ending.message }),
      ...extra,
      ...(ending.warning === undefined ? {} : { warning: ending.warning }),
      ...(published?.expiresAt ? { publishedUntil: published.expiresAt.toISOString() } : {}),
    },
  }
  try {
    await ports.events.emit(event)
    return true
  } catch {
    return false
  }
}

/** What an event says to whoever is to do something about its cause. */
function telling(
  cause: Cause,
  message: string | undefined,
  notify: boolean,
  now: Date,
  { run, ledger }: Context,
): Partial<RotatorEvent['detail']> {
  const { readers, id } = run.connection
  return {
    cause,
    secret: consumerSecretId(id),
    ...(readers === undefined ? {} : { readers }),
    steps: stepsFor(cause, run),
    ...(notify ? { notify } : {}),
    words: wordsFor(cause, run, ledger.item, message, now),
  }
}
