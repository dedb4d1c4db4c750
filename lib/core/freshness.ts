import type { LedgerItem } from './ledger.ts'
import { later, nearlyOutAt, type Timings } from './renewal.ts'
import type { Vendor } from './vendor.ts'

/**
 * When consumers are no longer served as promised: half of the margin is gone, or a session that is
 * kept alive has been silent for as long as it lives. `undefined`: nothing is published.
 */
export function staleAt(
  { published, aliveAt }: Pick<LedgerItem, 'published' | 'aliveAt'>,
  { idleSeconds }: Pick<Vendor, 'idleSeconds'>,
  timings: Timings,
): Date | undefined {
  if (published === undefined) return undefined
  if (published.expiresAt !== null || idleSeconds === undefined) {
    return nearlyOutAt(published, timings)
  }
  return later(aliveAt ?? published.issuedAt, idleSeconds)
}
