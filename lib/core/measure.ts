import { staleAt } from './freshness.ts'
import type { Cause } from './incident.ts'
import type { LedgerItem } from './ledger.ts'
import type { Outcome } from './release.ts'
import { earliest, type Timings, versionBudget } from './renewal.ts'
import type { Vendor } from './vendor.ts'

/** CloudWatch namespace of every metric of the rotator. */
export const metricNamespace = 'TokenRotator'

/** Where a connection stands, as metrics with the dimensions `vendor` and `connection`. */
export interface Standing {
  /** Seconds that the published token lives on; of a kept-alive session, until it idles out. Negative: dead. */
  readonly SecondsToExpiry?: number
  /** Seconds until less than half of its margin is left. Negative: consumers are not served as promised. */
  readonly SecondsToStale?: number
  /** Seconds that the held refresh token lives on, where the vendor says so. Negative: dead. */
  readonly RefreshSecondsToExpiry?: number
  /** 1 while a refresh token is in doubt and a person is told of it, else 0. */
  readonly TokenAtRisk: 0 | 1
  /** 1 while only an enrollment helps, else 0. */
  readonly EnrollmentRequired: 0 | 1
  /** Versions that the fuller of the two secrets still takes before Secrets Manager might refuse one. */
  readonly VersionBudgetLeft: number
  /** Days until the first certificate that the connection depends on ends. Negative: it has ended. */
  readonly CertificateDaysLeft?: number
}

/**
 * Reads a connection's standing off its ledger item, due or not. What is not known is left out.
 *
 * @param own the region that this is, if there are several: one that stands by says nothing of what it
 *   published once, and needs nobody
 */
export function measure(
  item: LedgerItem,
  vendor: Pick<Vendor, 'idleSeconds'>,
  now: Date,
  timings: Timings,
  own?: string,
): Standing {
  const { standing, refreshExpiresAt, certificates = [] } = item
  const isStandby = own !== undefined && standing !== undefined && standing.region !== own
  const { published: once, ...unpublished } = item
  const published = isStandby ? undefined : once
  const stale = staleAt(isStandby ? unpublished : item, vendor, timings)
  const end = published?.expiresAt ?? (vendor.idleSeconds === undefined ? undefined : stale)
  const certificateEnd = earliest(...certificates.map(({ notAfter }) => notAfter))
  const budgets = [item.consumerWrites, item.enrollmentWrites].map((writes) =>
    versionBudget(writes, now, timings),
  )
  return {
    ...present('SecondsToExpiry', secondsUntil(end, now)),
    ...present('SecondsToStale', secondsUntil(end && stale, now)),
    ...present('RefreshSecondsToExpiry', secondsUntil(refreshExpiresAt, now)),
    TokenAtRisk: isStandby ? 0 : stands(item, 'token-at-risk'),
    EnrollmentRequired: isStandby ? 0 : stands(item, 'enrollment-required'),
    VersionBudgetLeft: Math.min(...budgets),
    ...present('CertificateDaysLeft', daysUntil(certificateEnd, now)),
  }
}

/**
 * What the metric `Outcome` is counted by: the error's code if the run failed for one, else the
 * outcome's name. Both come from short closed lists, so the dimension stays small.
 */
export function outcomeCode({ outcome, error }: Outcome): string {
  const isFailure = outcome === 'failed' || outcome === 'blocked'
  return isFailure && error !== undefined ? error.code : outcome
}

/** Told and not over, or found by the last run: no matter whether anybody could be told. */
function stands({ incident, history }: LedgerItem, cause: Cause): 0 | 1 {
  return incident?.told.includes(cause) || history.at(-1)?.cause === cause ? 1 : 0
}

function present<K extends string>(name: K, value: number | undefined): { [key in K]?: number } {
  return (value === undefined ? {} : { [name]: value }) as { [key in K]?: number }
}

function secondsUntil(end: Date | undefined, now: Date): number | undefined {
  return end === undefined ? undefined : Math.round((end.getTime() - now.getTime()) / 1000)
}

function daysUntil(end: Date | undefined, now: Date): number | undefined {
  const seconds = secondsUntil(end, now)
  return seconds === undefined ? undefined : Math.round(seconds / 864) / 100
}
