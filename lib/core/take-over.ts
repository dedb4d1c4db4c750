import { enrolledDuring } from './incident.ts'
import { openLedger } from './lease.ts'
import { type LedgerItem, released } from './ledger.ts'
import { untilRunEnds } from './persist.ts'
import type { Regions } from './ports.ts'
import type { Ports, Run } from './run.ts'

/**
 * Makes this region the one at work. This first write is what counts: from now on no other region gets
 * leave to send a refresh token. The next tick settles the rest, see `begin`.
 *
 * At home it means: go on without the regions that cannot be reached.
 *
 * @returns the epoch that begins; `lease-held` if a run is at work here: try again in a minute
 * @throws {StoreError}
 */
export async function takeOver(
  run: Run,
  ports: Ports & { readonly regions: Regions },
): Promise<{ readonly epoch: number } | 'lease-held'> {
  const ledger = await openLedger(run, ports)
  if (ledger === undefined) return 'lease-held'
  const { own } = ports.regions
  const now = ports.clock.now()
  await untilRunEnds(
    () =>
      ledger.commit((item) => {
        const end = { now, dueAt: now, outcome: 'take-over', failed: true }
        return { ...released(claimed(item, own, now), end), attempts: 0 }
      }),
    { ports, ledger },
  )
  return { epoch: ledger.item.standing?.epoch ?? 0 }
}

/** A new epoch, of this region. */
function claimed(item: LedgerItem, own: string, now: Date): LedgerItem {
  const { standing, takingOver } = item
  const isHome = standing?.region === own
  const from = (isHome ? takingOver?.from : undefined) ?? standing
  const epoch = Math.max((standing?.epoch ?? 0) + 1, Math.floor(now.getTime() / 1000))
  // What was told when this region was last at work may be true again, and would be news.
  const told = item.incident === undefined ? {} : { incident: enrolledDuring(item.incident) }
  return {
    ...item,
    ...told,
    standing: { epoch, region: own },
    takingOver: {
      ...(from === undefined ? {} : { from }),
      // What has been settled without a region need not be doubted again for its sake.
      without: isHome ? (takingOver?.without ?? []) : [],
      settled: false,
    },
  }
}
