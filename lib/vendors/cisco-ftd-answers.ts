import * as v from 'valibot'
import { ConfigError, GrantRefusedError, ResponseError } from '../core/errors.ts'
import type { Redacted } from '../core/redacted.ts'
import { later } from '../core/renewal.ts'
import type { HttpAnswer, TokenSet } from '../core/vendor.ts'
import { claimsOf, keysOf, lifetimeSeconds, WireToken } from './token.ts'

// Every field of the device's answer is optional in its own description, so what is needed is checked.
const RefreshPart = v.object({
  refresh_token: v.optional(v.union([WireToken, v.null()])),
  refresh_expires_in: v.optional(v.unknown()),
})
const Answer = v.object({
  access_token: WireToken,
  expires_in: v.optional(v.unknown()),
  ...RefreshPart.entries,
})

/** In seconds: the longest the device grants (365 and 395 days), and what a login gives (30 and 40 min). */
const access = { longest: 31_536_000, otherwise: 1800 }
const refresh = { longest: 34_128_000, otherwise: 2400 }

/**
 * Reads the answer of a granting call. Nothing held is of use once a refresh was answered, so an odd
 * lifetime is no reason to throw a pair away: the tokens' own claims stand in.
 *
 * @throws {GrantRefusedError} 400 or 422: what the device answers to anything it does not accept
 * @throws {ConfigError} 401: the API version in the path is not this device's; nothing was spent
 * @throws {ResponseError} anything else
 */
export function readGrant(
  { status, json }: HttpAnswer,
  grant: string,
  apiVersion: string,
  now: Date,
): TokenSet {
  if (status === 400 || status === 422) {
    throw new GrantRefusedError(`the device refused the ${grant} grant`, {
      reason: status === 400 ? 'invalid_grant' : 'invalid_request',
      status,
    })
  }
  if (status === 401) {
    throw new ConfigError(
      'apiVersion',
      `found ${apiVersion}, which the device answers with 401; allowed are those that GET /api/versions lists, and latest`,
    )
  }
  if (status === 404) {
    throw new ResponseError(
      'the device knows no token path: is it managed by FMC, or older than 6.2.3?',
      { status, spent: 'no', keys: keysOf(json) },
    )
  }
  const answer = v.safeParse(Answer, json)
  if (status !== 200 || !answer.success) {
    const half = v.safeParse(RefreshPart, json)
    const { refreshToken, ...rest } =
      status === 200 && half.success ? refreshPart(half.output, now) : {}
    throw new ResponseError(`the ${grant} grant gave no token`, {
      status,
      keys: keysOf(json),
      ...(refreshToken === undefined
        ? {}
        : { kept: { refreshToken, ...rest, issuedAt: now, grant } }),
    })
  }
  const { access_token: accessToken, expires_in } = answer.output
  const session = claimsOf(accessToken).other
  return {
    accessToken,
    tokenType: 'Bearer',
    issuedAt: now,
    expiresAt: later(now, lives(expires_in, accessToken, access, now)),
    grant,
    facts: {
      ...text('session', session.jti),
      ...text('origin', session.origin ?? origins[grant]),
      ...text('subject', session.sub),
    },
    ...refreshPart(answer.output, now),
  }
}

function refreshPart(
  { refresh_token: refreshToken, refresh_expires_in }: v.InferOutput<typeof RefreshPart>,
  now: Date,
): Pick<TokenSet, 'refreshToken' | 'refreshExpiresAt' | 'refreshesLeft'> {
  if (refreshToken === undefined || refreshToken === null) return {}
  return {
    refreshToken,
    refreshExpiresAt: later(now, lives(refresh_expires_in, refreshToken, refresh, now)),
    ...refreshesLeft(claimsOf(refreshToken).other.refreshCount),
  }
}

function lives(told: unknown, token: Redacted, bounds: typeof access, now: Date): number {
  return isLifetime(told, bounds.longest) ? told : lifetimeSeconds(token, now, bounds)
}

// A refresh says by its claims where its chain began.
const origins: Readonly<Record<string, string>> = { password: 'password', custom_token: 'custom' }

function isLifetime(told: unknown, longest: number): told is number {
  return typeof told === 'number' && told > 0 && told <= longest
}

function text(name: string, value: unknown): Record<string, string> {
  return typeof value === 'string' ? { [name]: value.slice(0, 128) } : {}
}

/** -1 means that nobody counts. */
function refreshesLeft(count: unknown): { refreshesLeft?: number } {
  return typeof count === 'number' && Number.isInteger(count) && count >= 0
    ? { refreshesLeft: count }
    : {}
}
