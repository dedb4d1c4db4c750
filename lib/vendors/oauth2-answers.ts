import * as v from 'valibot'
import { ConfigError, GrantRefusedError, ResponseError } from '../core/errors.ts'
import { later } from '../core/renewal.ts'
import type { HeldTokens, HttpAnswer, TokenSet } from '../core/vendor.ts'
import type { Client } from './oauth2-client.ts'
import { longestLifetimeSeconds, type Settings } from './oauth2-options.ts'
import { claimsOf, keysOf, lifetimeSeconds, WireToken } from './token.ts'

const RefreshPart = v.object({
  // Not sent, or sent empty: the one that is held stays good (RFC 6749, section 6).
  refresh_token: v.optional(v.union([WireToken, v.null(), v.literal('')])),
  // Not in the RFC, but widely sent.
  refresh_expires_in: v.optional(v.unknown()),
  refresh_token_expires_in: v.optional(v.unknown()),
})
const Tokens = v.object({
  access_token: WireToken,
  token_type: v.optional(v.unknown()),
  expires_in: v.optional(v.unknown()),
  ...RefreshPart.entries,
})
const Refusal = v.object({ error: v.string() })

/** RFC 6749, section 5.2 and RFC 8707, section 2: refused before any token was looked at. */
const unspent: Readonly<Record<string, { field: string; check: string }>> = {
  invalid_request: {
    field: 'parameters',
    check: 'clientAuthentication, scope, resource, audience and parameters',
  },
  invalid_scope: { field: 'scope', check: 'scope' },
  invalid_target: { field: 'resource', check: 'resource and audience' },
  unauthorized_client: { field: 'grant', check: 'which grants the client is registered for' },
  unsupported_grant_type: {
    field: 'grant',
    check: 'grant, and that the token endpoint is the right one',
  },
}

/**
 * Reads the answer of the token endpoint. Read here and not by the library, which refuses a whole
 * answer for an odd `expires_in`, `token_type` or `id_token`: a pair that was received must not be lost
 * for that.
 *
 * @throws {GrantRefusedError} `invalid_grant`: the token is expired, spent or revoked
 * @throws {ConfigError} the client or its request was refused; nothing was spent
 * @throws {ResponseError} anything else, 429 and 5xx among it: what became of the token is not known
 */
export function readGrant(
  answer: HttpAnswer,
  held: HeldTokens,
  now: Date,
  settings: Settings,
  { provenBy }: Client,
): TokenSet {
  const { status, json } = answer
  // 200 by the RFC; CrowdStrike says 201.
  if (status < 200 || status > 299) throw refusal(answer, settings, provenBy)
  const decoded = v.safeParse(Tokens, json)
  if (!decoded.success) {
    const rest = v.safeParse(RefreshPart, json)
    const { refreshToken, ...end } = rest.success ? refreshPart(rest.output, {}, now) : {}
    throw new ResponseError('the token endpoint gave no token that may stand in a header', {
      status,
      keys: keysOf(json),
      ...(refreshToken === undefined
        ? {}
        : { kept: { refreshToken, ...end, issuedAt: now, grant: settings.grant } }),
    })
  }
  const { access_token: accessToken, token_type: tokenType, expires_in: told } = decoded.output
  const lifetime =
    secondsOf(told, longestLifetimeSeconds) ??
    lifetimeSeconds(accessToken, serverTime(answer) ?? now, {
      longest: longestLifetimeSeconds,
      otherwise: settings.accessTokenLifetimeSeconds,
    })
  return {
    accessToken,
    tokenType: tokenTypeOf(tokenType),
    issuedAt: now,
    expiresAt: later(now, lifetime),
    grant: settings.grant,
    ...refreshPart(decoded.output, held, now),
  }
}

function refreshPart(
  answer: v.InferOutput<typeof RefreshPart>,
  held: HeldTokens,
  now: Date,
): Pick<TokenSet, 'refreshToken' | 'refreshExpiresAt'> {
  const sent = answer.refresh_token
  const isNew = typeof sent === 'object' && sent !== null
  const refreshToken = isNew ? sent : held.refreshToken
  if (refreshToken === undefined) return {}
  const told =
    secondsOf(answer.refresh_expires_in, Number.MAX_SAFE_INTEGER) ??
    secondsOf(answer.refresh_token_expires_in, Number.MAX_SAFE_INTEGER)
  const { exp, iat } = claimsOf(refreshToken)
  const claimed =
    exp === undefined ? undefined : later(now, (exp.getTime() - (iat ?? now).getTime()) / 1000)
  const refreshExpiresAt =
    told === undefined
      ? isNew
        ? claimed
        : held.refreshExpiresAt
      : later(now, Math.min(told, 10 * longestLifetimeSeconds))
  return { refreshToken, ...(refreshExpiresAt === undefined ? {} : { refreshExpiresAt }) }
}

/** Seconds as the RFC has them, or as text; nothing if they are no lifetime, or one beyond belief. */
function secondsOf(told: unknown, longest: number): number | undefined {
  const seconds = typeof told === 'string' && /^\d{1,15}$/.test(told) ? Number(told) : told
  return typeof seconds === 'number' && seconds >= 1 && seconds <= longest ? seconds : undefined
}

/** `bearer` in any case is `Bearer` (RFC 6749, section 5.1); so is none at all, as some vendors send. */
function tokenTypeOf(told: unknown): string {
  if (typeof told !== 'string' || !/^[!#$%&'*+.^_`|~\w-]{1,64}$/.test(told)) return 'Bearer'
  return told.toLowerCase() === 'bearer' ? 'Bearer' : told
}

function serverTime({ headers }: HttpAnswer): Date | undefined {
  const time = Date.parse(headers.date ?? '')
  return Number.isNaN(time) ? undefined : new Date(time)
}

function refusal(
  { status, json }: HttpAnswer,
  settings: Settings,
  provenBy: Client['provenBy'],
): Error {
  const refused = v.safeParse(Refusal, json)
  const code = refused.success ? refused.output.error : undefined
  const isDecided = status >= 400 && status < 500 && status !== 429
  if (!isDecided || code === undefined) {
    const text =
      status >= 300 && status < 400 ? 'redirects, which is not followed' : 'gave no token'
    return new ResponseError(`the token endpoint ${text}`, { status, keys: keysOf(json) })
  }
  if (code === 'invalid_grant') {
    return new GrantRefusedError('the server refused the grant', { reason: code, status })
  }
  if (code === 'invalid_client') {
    return new ConfigError(
      provenBy,
      `the server refused the client's authentication (invalid_client, status ${status}); check clientId, clientAuthentication ${settings.clientAuthentication} and what is enrolled for it; nothing was spent`,
    )
  }
  const known = Object.hasOwn(unspent, code) ? unspent[code] : undefined
  if (known === undefined) {
    return new ResponseError('the token endpoint refused for a reason of its own', {
      status,
      keys: keysOf(json),
    })
  }
  return new ConfigError(
    known.field,
    `the server refused the request (${code}, status ${status}); check ${known.check}; nothing was spent`,
  )
}
