import type { Connection } from './connection.ts'
import { LeaseHeldError } from './errors.ts'
import { acquired, isLeased, type LedgerItem, newItem } from './ledger.ts'
import type { Clock, Ledger } from './ports.ts'
import { earliest, later, type Timings } from './renewal.ts'

/** The item of a run that holds the lease. */
export interface RunLedger {
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
 * expired may take it.
 *
 * @returns `undefined` if another run holds it
 * @throws {StoreError}
 */
export async function openLedger(
  run: { connection: Connection; runId: string; deadline: Date },
  { ledger, clock, timings }: { ledger: Ledger; clock: Clock; timings: Timings },
): Promise<RunLedger | undefined> {
  const { connection, runId, deadline } = run
  const now = clock.now()
  const found =
    (await ledger.read(connection.vendor, connection.id)) ??
    newItem({ vendor: connection.vendor, connection: connection.id }, now)
  if (isLeased(found, now)) return undefined

  const end = earliest(deadline, later(now, timings.leaseSeconds)) ?? deadline
  const leaseUntil = later(end, timings.leaseGraceSeconds)
  let writes = 0
  // Every write has a mark of its own: the store tells by it whether a repeated write was the first one.
  const revised = (next: LedgerItem): LedgerItem => {
    writes++
    return { ...next, revision: next.revision + 1, writer: `${runId}#${writes}` }
  }
  let item = revised(acquired(found, { runId, leaseUntil }))
  if ((await ledger.write(item)) === 'conflict') return undefined
  return {
    get item() {
      return item
    },
    stage(change) {
      item = change(item)
    },
    async commit(change = (unchanged) => unchanged) {
      const changed = change(item)
      let next = revised(changed)
      let answer = await ledger.write(next)
      if (answer === 'conflict') {
        // What stands there may be a write of this run that was never acknowledged: then it follows that.
        const stored = await ledger.read(connection.vendor, connection.id)
        if (stored?.writer.startsWith(`${runId}#`)) {
          next = revised({ ...changed, revision: stored.revision })
          answer = await ledger.write(next)
        }
      }
      if (answer === 'conflict') {
        throw new LeaseHeldError('another run has taken over the lease; this one stops here')
      }
      item = next
    },
  }
}
