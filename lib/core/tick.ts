import pLimit from 'p-limit'
import type { Connection } from './connection.ts'
import { failed, type Outcome } from './release.ts'
import { leastSeconds } from './renewal.ts'
import { rotate } from './rotate.ts'
import type { Ports } from './run.ts'
import type { Vendor } from './vendor.ts'

/** One scheduled invocation for one vendor. */
export interface Tick {
  readonly vendor: Vendor
  readonly connections: readonly Connection[]
  /** Seconds until the function is ended from outside, by whoever will end it. */
  readonly remainingSeconds: () => number
  /** Gives each run its own id. */
  readonly newRunId: () => string
  /** Told of each run as it ends, and of its seconds. */
  readonly ended?: (outcome: Outcome, seconds: number) => void
  /** Runs at a time; a slow host holds its own slot only. Default 20. */
  readonly concurrency?: number
}

/**
 * Rotates what is due, soonest first, and stops. Nothing is admitted that could not wait for its
 * vendor's answer and persist it: it is due again at the next tick.
 */
export async function tick(tick: Tick, ports: Ports): Promise<Outcome[]> {
  const { clock, timings, ledger } = ports
  const dues = new Map(
    (await ledger.dues(tick.vendor.id)).map(({ connection, dueAt }) => [connection, dueAt]),
  )
  // Only now: the answer may have set the clock.
  const now = clock.now()
  const dueAt = ({ id }: Connection) => dues.get(id)?.getTime() ?? 0
  const due = tick.connections
    .filter(
      (connection) => connection.vendor === tick.vendor.id && dueAt(connection) <= now.getTime(),
    )
    .sort((one, other) => dueAt(one) - dueAt(other))

  const limit = pLimit(tick.concurrency ?? 20)
  const { vendor, remainingSeconds, newRunId, ended } = tick
  const admitted = async (connection: Connection): Promise<Outcome> => {
    if (remainingSeconds() <= leastSeconds(timings))
      return { connection: connection.id, outcome: 'deferred' }
    try {
      return await rotate({ connection, vendor, runId: newRunId(), remainingSeconds }, ports)
    } catch (error) {
      return { connection: connection.id, ...failed(error) }
    }
  }
  return Promise.all(
    due.map((connection) =>
      limit(async (): Promise<Outcome> => {
        const begun = clock.now().getTime()
        const outcome = await admitted(connection)
        ended?.(outcome, Math.max(0, (clock.now().getTime() - begun) / 1000))
        return outcome
      }),
    ),
  )
}
