import { fingerprint, type LedgerItem } from '../../lib/core/ledger.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { FakeVendor } from '../core/fake-vendors.ts'

/** Every refresh token that a vendor would take now. */
export function takenBy(fake: FakeVendor): readonly string[] {
  const tip = fake.tip()
  return fake.taken?.() ?? (tip === undefined ? [] : [tip])
}

/** Whether any of the stores' texts has a refresh token that the vendor would take. */
export function isStored(taken: readonly string[], texts: Iterable<string>): boolean {
  if (taken.length === 0) return false
  for (const text of texts) if (taken.some((token) => text.includes(token))) return true
  return false
}

/** Whether the vendor would take what the current document holds, if it gives refresh tokens at all. */
export function isHeld(refreshToken: string | undefined, fake: FakeVendor): boolean {
  if (refreshToken === fake.tip()) return true
  return refreshToken !== undefined && takenBy(fake).includes(refreshToken)
}

/**
 * A run that dies between announcing a token and sending it leaves the same record as one that dies
 * after sending it; if that happens to the one repetition too, nobody can tell that it is unspent, and a
 * third sending might be its second. Only if that very token is all there is: a pair that was bought
 * with it would be a loss.
 */
export function isAnnouncedTwice(item: LedgerItem | undefined, taken: readonly string[]): boolean {
  const { intent, connection = '' } = item ?? {}
  if (intent?.kind !== 'probe' || intent.refused) return false
  return taken.every((token) => fingerprint(connection, new Redacted(token)) === intent.token)
}
