import { openLedger } from '../../lib/core/lease.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import type { Context, Ports } from '../../lib/core/run.ts'
import type { mdrWorld } from './world.ts'

type World = Pick<ReturnType<typeof mdrWorld>, 'connection' | 'vendor' | 'ports'>

/** A run that has just taken its lease, for a single step of it to be tried. */
export async function openRun(
  world: World,
  {
    seconds = 300,
    ports = world.ports,
    item = {},
  }: { seconds?: number; ports?: Ports; item?: Partial<LedgerItem> } = {},
): Promise<Context> {
  const { connection, vendor } = world
  const run = { connection, vendor, runId: 'run-1', remainingSeconds: () => seconds }
  const ledger = await openLedger(run, ports)
  if (ledger === undefined) throw new Error('the lease is held')
  if (Object.keys(item).length > 0) await ledger.commit((before) => ({ ...before, ...item }))
  return { run, ports, ledger }
}
