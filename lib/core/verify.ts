import { isRotatorError, VerifyFailedError } from './errors.ts'
import type { LedgerItem } from './ledger.ts'
import { nearlyOutAt, type Timings } from './renewal.ts'
import type { Call, TokenSet, VendorClient, Verified } from './vendor.ts'

/** What asking the vendor about a token gave. */
export type Verdict =
  | { readonly verdict: 'good'; readonly verified: Verified }
  | { readonly verdict: 'rejected' | 'inconclusive'; readonly error: unknown }

/** Proves a token with the vendor; a vendor without such a call is believed. */
export async function verify(client: VendorClient, tokens: TokenSet, call: Call): Promise<Verdict> {
  try {
    const verified = await client.verify?.(tokens, call)
    return { verdict: 'good', verified: verified ?? {} }
  } catch (error) {
    if (!isRotatorError(error)) throw error
    const rejected = error instanceof VerifyFailedError && error.rejected
    return { verdict: rejected ? 'rejected' : 'inconclusive', error }
  }
}

/**
 * Whether a token goes out to consumers. A proven one always does. A rejected one never replaces one
 * that lives; one that could not be asked about waits while the published one is fresh.
 */
export function mayPublish(
  verdict: Verdict['verdict'],
  published: LedgerItem['published'],
  now: Date,
  timings: Timings,
): boolean {
  if (verdict === 'good' || published === undefined) return true
  // Whether a kept-alive session still lives is not known here, and a new one was begun for a reason.
  if (published.expiresAt === null) return verdict === 'inconclusive'
  return now >= (verdict === 'rejected' ? published.expiresAt : nearlyOutAt(published, timings))
}

/** A certificate whose end has come near enough to tell a person. */
export interface Expiring {
  readonly name: string
  readonly notAfter: Date
  /** Told at most this many days before: 30, 7 or 1. */
  readonly days: number
}

/** Days before its end on which a person is told of a certificate. */
export const alarmDays = [1, 7, 30]

/** Those certificates that a person has not yet been told of at their present distance from the end. */
function expiring(
  certificates: Verified['certificates'],
  known: Readonly<Record<string, string>>,
  now: Date,
): Expiring[] {
  return (certificates ?? []).flatMap(({ name, notAfter }) => {
    const left = (notAfter.getTime() - now.getTime()) / 86_400_000
    const days = alarmDays.find((threshold) => left < threshold)
    if (days === undefined) return []
    const near = { name, notAfter, days }
    return known[factName(near)] === factValue(near) ? [] : [near]
  })
}

/** Under which name the ledger remembers that a person was told. */
export function factName({ name }: Expiring): string {
  return `certificate ${name}`
}

export function factValue({ notAfter, days }: Expiring): string {
  return `${days} days before ${notAfter.toISOString()}`
}

/** What a vendor's answer tells beside that the token works, as it stands in the ending of a run. */
export function noticed(
  { certificates, warning }: Verified,
  known: Readonly<Record<string, string>>,
  now: Date,
): { readonly expiring: readonly Expiring[]; readonly warning?: string } {
  const near = expiring(certificates, known, now)
  return { expiring: near, ...(warning === undefined ? {} : { warning }) }
}
