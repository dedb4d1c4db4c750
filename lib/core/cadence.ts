import type { Connection } from './connection.ts'
import { ConfigError } from './errors.ts'
import { defaultTimings, marginSeconds, renewalSeconds, versionQuota } from './renewal.ts'
import type { Vendor } from './vendor.ts'

/** AWS's guidance: a secret is not written more often than once in 10 minutes, sustained. */
const guidanceSeconds = 600

/** AWS's quota: 100 versions, of which none younger than 24 h is purged; one each 864 s fits. */
const quotaSeconds = defaultTimings.versionWindowSeconds / versionQuota

const neverSeconds = Number.MAX_SAFE_INTEGER

// Up to 1800 s the margin is a third of the lifetime, and the jitter begins up to a tenth of it earlier.
const nominalShare = 1 - 1 / 3
const earliestShare = 1 - 1.1 / 3

/**
 * Whether a connection's renewals fit the versions that Secrets Manager keeps, before anything is
 * deployed. AWS's two statements disagree, so either is taken as true:
 *
 *     under 600 s     refused
 *     600 to 864 s    refused if the vendor's usual grant spends a refresh token: one more version that
 *                     is not taken would lose it; else allowed, with a warning
 *     864 s and more  allowed
 *
 * @param at where the connection stands, e.g. `connections[0]`
 * @returns the warning, with its arithmetic
 * @throws {ConfigError} the renewals are too close to each other
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html the guidance
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html the quota
 */
export function checkCadence(
  connection: Connection,
  vendor: Vendor,
  at: string,
): string | undefined {
  // A session that is kept alive is not renewed, and so not written, while it lives.
  const lifetime =
    vendor.idleSeconds === undefined ? vendor.accessLifetimeSeconds(connection) : neverSeconds
  const margin = marginSeconds(lifetime, defaultTimings)
  const nominal = Math.round(lifetime - margin)
  const tokens = (share: number, seconds: number) =>
    `tokens of ${Math.ceil(seconds / share)} s or more`
  if (nominal < guidanceSeconds) {
    throw new ConfigError(
      at,
      `found access tokens of ${lifetime} s, renewed every ${nominal} s; allowed are ${tokens(nominalShare, guidanceSeconds)}: a secret may be written once in ${guidanceSeconds} s, ${perDay(guidanceSeconds)}`,
    )
  }

  const earliest = Math.floor(renewalSeconds(lifetime, 1, defaultTimings))
  const every = connection.renew?.everySeconds
  const byWish = every !== undefined && every <= earliest
  const interval = byWish ? every : earliest
  const field = byWish ? `${at}.renew.everySeconds` : at
  const found = byWish
    ? `found ${every}`
    : `found access tokens of ${lifetime} s, renewed every ${earliest} s at the earliest`
  if (interval >= quotaSeconds) return undefined

  const arithmetic = `${perDay(interval)}, and Secrets Manager may refuse more than ${versionQuota}`
  if (vendor.spends(connection) === 'nothing') {
    return `${field}: ${found}, that is ${arithmetic}: it writes to a parameter beside the secret when that happens`
  }
  const allowed = byWish ? `${quotaSeconds} or more` : tokens(earliestShare, quotaSeconds)
  throw new ConfigError(
    field,
    `${found}; allowed for ${vendor.id} is ${allowed}: this is ${arithmetic}, after the refresh token has been spent`,
  )
}

function perDay(interval: number): string {
  const day = defaultTimings.versionWindowSeconds
  return `${Math.ceil(day / interval)} versions a day (${day} / ${interval})`
}
