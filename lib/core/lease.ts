import { LeaseHeldError } from './errors.ts'
import { acquired, isLeased, type LedgerItem, newItem, ordered } from './ledger.ts'
import type { Clock, Ledger } from './ports.ts'
import { earliest, later, type Timings } from './renewal.ts'
import type { Run } from './run.ts'

/** The item of a run that holds the lease. */
export interface RunLedger {
  /** When the run is ended from outside, by the clock that the ledger has set. */
  readonly deadline: Date
  /** As last committed, with what has been staged since. */
  readonly item: LedgerItem
  /** Remembers a change; it is written with the next commit. */
  readonly stage: (change: (item: LedgerItem) => LedgerItem) => void
  /**
   * Writes what is staged and this change.
   *
   * @throws {LeaseHeldError} another run has written since: this one has lost its lease
   * @throws {StoreError}
   */
  readonly commit: (change?: (item: LedgerItem) => LedgerItem) => Promise<void>
}

/**
 * Takes the lease by a conditional write, so that of two runs that start together one wins. It
 * lasts a minute; a grant that spends makes it outlast the function's time-out. Whoever finds it
 * expired may take it. What the run was ordered to publish is on record from the same write on.
 *
 * @returns `undefined` if another run holds it
 * @throws {StoreError}
 */
export async function openLedger(
  run: Pick<Run, 'connection' | 'runId' | 'publishAs' | 'remainingSeconds'>,
  { ledger, clock, timings }: { ledger: Ledger; clock: Clock; timings: Timings },
): Promise<RunLedger | undefined> {
  const { connection, runId } = run
  const stored = await ledger.read(connection.vendor, connection.id)
  // Only now: the answer may have set the clock.
  const now = clock.now()
  const deadline = later(now, run.remainingSeconds())
  const found = stored ?? newItem({ vendor: connection.vendor, connection: connection.id }, now)
  if (isLeased(found, now)) return undefined

  const end = earliest(deadline, later(now, timings.leaseSeconds)) ?? deadline
  const leaseUntil = later(end, timings.leaseGraceSeconds)
  let writes = 0
  // Every write has a mark of its own: the store tells by it whether a repeated write was the first one.
  const revised = (next: LedgerItem): LedgerItem => {
    writes++
    return { ...next, revision: next.revision + 1, writer: `${runId}#${writes}` }
  }
  // A write whose answer was lost may stand in the ledger without this run knowing.
  const isOwn = ({ writer }: LedgerItem) => writer.startsWith(`${runId}#`)
  let item = revised(ordered(acquired(found, { runId, leaseUntil }), run.publishAs, now))
  if ((await ledger.write(item)) === 'conflict') return undefined
  return {
    deadline,
    get item() {
      return item
    },
    stage(change) {
      item = change(item)
    },
    async commit(change = (unchanged) => unchanged) {
      let next = revised(change(item))
      while ((await ledger.write(next)) === 'conflict') {
        const stored = await ledger.read(connection.vendor, connection.id)
        if (stored === undefined || !isOwn(stored)) {
          throw new LeaseHeldError('another run has taken over the lease; this one stops here')
        }
        next = revised({ ...change(item), revision: stored.revision })
      }
      item = next
    },
  }
}
