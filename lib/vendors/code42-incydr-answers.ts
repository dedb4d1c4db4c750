import * as v from 'valibot'
import { GrantRefusedError, ResponseError, VerifyFailedError } from '../core/errors.ts'
import { later } from '../core/renewal.ts'
import type { HttpAnswer, RefreshOnly, TokenSet, Verified } from '../core/vendor.ts'
import { keysOf, lifetimeSeconds, shownId, WireToken } from './token.ts'

/** Documented lives of access tokens, in seconds: an API client's, and a user's. */
export const clientAccessSeconds = 900
export const userAccessSeconds = 1800

/** An access token that claims to live longer than this is not believed; documented are 15 and 30 min. */
const longestSeconds = 86_400

/** Clocks that differ by more than one step of a one-time code make codes fail. */
const codeStepSeconds = 30

/** What was asked, and which option says where. */
interface Asked {
  readonly name: string
  readonly option: string
}

const Mint = v.object({
  access_token: WireToken,
  token_type: v.optional(v.unknown()),
  expires_in: v.optional(v.unknown()),
})

/** OAuth error codes (RFC 6749, section 5.2): what stands elsewhere in `error` is not repeated. */
const OauthError = v.object({
  error: v.picklist([
    'invalid_request',
    'invalid_client',
    'invalid_grant',
    'unauthorized_client',
    'unsupported_grant_type',
    'invalid_scope',
  ]),
})

/**
 * Reads the answer of `POST /v1/oauth`. Its error bodies are not published, so the status decides.
 *
 * @throws {GrantRefusedError} 400, 401, 403
 * @throws {ResponseError} anything else; nothing was spent
 */
export function readMint(answer: HttpAnswer, now: Date): TokenSet {
  const asked = { name: 'v1/oauth', option: 'url' }
  const { status, json } = answer
  if (isRefusal(status)) {
    const found = v.safeParse(OauthError, json)
    throw new GrantRefusedError(
      'the vendor refused clientId and clientSecret; if the secret was reset in the console, enroll the new one',
      { reason: found.success ? found.output.error : 'invalid_client', status },
    )
  }
  const mint = v.safeParse(Mint, json)
  if (status !== 200 || !mint.success) throw unexpected(answer, asked, mint.issues)
  const { access_token: accessToken, token_type, expires_in } = mint.output
  if (token_type !== undefined && !/^bearer$/i.test(String(token_type))) {
    throw new ResponseError('v1/oauth gave a token_type other than bearer', { status })
  }
  // Absent, it is the documented 900 s; a value that makes no sense must not decide when to renew.
  const seconds = expires_in ?? clientAccessSeconds
  if (typeof seconds !== 'number' || !(seconds > 0 && seconds <= longestSeconds)) {
    const found = typeof seconds === 'number' ? seconds : `a ${typeof seconds}`
    throw new ResponseError(
      `v1/oauth gave an expires_in of ${found}; allowed is a number of seconds above 0 and up to ${longestSeconds}`,
      { status },
    )
  }
  return tokenSet('client_credentials', accessToken, now, seconds)
}

const UserToken = v.object({
  data: v.nullish(v.object({ v3_user_token: v.optional(WireToken) })),
  v3_user_token: v.optional(WireToken),
})

/** Where these keys stand in a body has changed over the years; that they stand in it has not. */
const setUpRequired = 'TOTP_AUTH_CONFIGURATION_REQUIRED_FOR_USER'
const codeRequired = 'TIME_BASED_ONE_TIME_PASSWORD_REQUIRED'

/**
 * Reads the answer of a login.
 *
 * @param withCode whether a one-time code was sent
 * @throws {GrantRefusedError} 400, 401, 403, or a body that asks for two-factor login
 * @throws {ResponseError} anything else; nothing was spent
 */
export function readLogin(answer: HttpAnswer, now: Date, withCode: boolean): TokenSet {
  const { status, text, json } = answer
  const { success, output, issues } = v.safeParse(UserToken, json)
  const token = success ? (output.data?.v3_user_token ?? output.v3_user_token) : undefined
  if (status === 200 && token !== undefined) {
    const bounds = { longest: userAccessSeconds, otherwise: userAccessSeconds }
    return tokenSet('user_token', token, now, lifetimeSeconds(token, now, bounds))
  }
  if (text.includes(setUpRequired)) {
    throw new GrantRefusedError(
      'the account must set up two-factor login first: sign in at the console with it, set it up, and enroll its seed as totpSecret',
      { reason: setUpRequired, status },
    )
  }
  if (text.includes(codeRequired)) {
    throw new GrantRefusedError(
      withCode
        ? `the vendor did not take the one-time code: check that totpSecret is the seed of this account${skewOf(answer, now)}`
        : 'the account has two-factor login and totpSecret is not enrolled: enroll its seed (Base32)',
      { reason: codeRequired, status },
    )
  }
  if (isRefusal(status)) {
    throw new GrantRefusedError(
      `the vendor refused username and password: wrong, an account with single sign-on, or a plan without API access${withCode ? skewOf(answer, now) : ''}`,
      { reason: 'invalid_grant', status },
    )
  }
  throw unexpected(answer, { name: 'auth/jwt', option: 'consoleUrl' }, issues)
}

const Half = v.object({ tokenValue: WireToken, expiresAt: v.optional(v.unknown()) })
const RefreshHalf = v.object({ refreshToken: Half })
const Pair = v.object({ accessToken: Half, ...RefreshHalf.entries })

/**
 * Reads the answer of the refresh URL. The held refresh token is used up by now, so instants that
 * make no sense are no reason to throw a pair away: the shortest documented life stands in.
 *
 * @throws {GrantRefusedError} 400, 401, 403
 * @throws {ResponseError} anything else; whether the token was used up is in doubt
 */
export function readPair(answer: HttpAnswer, now: Date): TokenSet {
  const { status, json } = answer
  if (isRefusal(status)) {
    throw new GrantRefusedError('the vendor refused the refresh token', {
      reason: 'invalid_grant',
      status,
    })
  }
  // The instants are by the vendor's clock, so they are counted from what that clock shows.
  const vendorNow = dateOf(answer) ?? now
  const lives = ({ expiresAt }: v.InferOutput<typeof Half>) => {
    const end = instantOf(expiresAt)
    const seconds = end === undefined ? 0 : (end.getTime() - vendorNow.getTime()) / 1000
    return seconds > 0 ? seconds : undefined
  }
  const refreshPart = ({ refreshToken }: v.InferOutput<typeof RefreshHalf>) => {
    const refreshSeconds = lives(refreshToken)
    return {
      refreshToken: refreshToken.tokenValue,
      ...(refreshSeconds === undefined ? {} : { refreshExpiresAt: later(now, refreshSeconds) }),
    }
  }
  const pair = v.safeParse(Pair, json)
  if (status !== 200 || !pair.success) {
    const half = v.safeParse(RefreshHalf, json)
    throw unexpected(
      answer,
      { name: 'the refresh URL', option: 'refreshUrl' },
      pair.issues,
      status === 200 && half.success
        ? { ...refreshPart(half.output), issuedAt: now, grant: 'refresh_token' }
        : undefined,
    )
  }
  const { accessToken } = pair.output
  const seconds = Math.min(lives(accessToken) ?? clientAccessSeconds, longestSeconds)
  return {
    ...tokenSet('refresh_token', accessToken.tokenValue, now, seconds),
    ...refreshPart(pair.output),
  }
}

const Customer = v.object({ tenantId: v.string() })
// A UUID, with or without its dashes.
const usualTenant = /^[\w-]{1,36}$/
const User = v.looseObject({})

/**
 * What a read with the new token says. Which permission the call needs is not published, so its lack
 * proves the token all the same.
 *
 * @param name the call, as a person would look it up
 * @throws {VerifyFailedError} 401: the token is dead; anything but 200 and 403: it could not be found out
 */
export function readProof(
  { status, json }: HttpAnswer,
  name: string,
  known: Readonly<Record<string, string>>,
): Verified {
  if (status === 401) {
    throw new VerifyFailedError(`${name} refused the new access token (status 401)`, true)
  }
  if (status === 403) {
    return {
      warning: `the token is good, but lacks the permission for ${name}: grant it read access in the console, or expect no check of the tenant`,
    }
  }
  if (status !== 200 || !v.is(User, json)) {
    throw new VerifyFailedError(`${name} gave no answer to go by (status ${status})`, false)
  }
  const customer = v.safeParse(Customer, json)
  if (!customer.success) return {}
  const tenantId = shownId(customer.output.tenantId, usualTenant)
  const isOther = known.tenantId !== undefined && known.tenantId !== tenantId
  return {
    facts: { tenantId },
    ...(isOther ? { warning: `tenant ${tenantId} answers where ${known.tenantId} did` } : {}),
  }
}

function tokenSet(
  grant: string,
  accessToken: TokenSet['accessToken'],
  now: Date,
  seconds: number,
): TokenSet {
  const expiresAt = later(now, seconds)
  return { accessToken, tokenType: 'Bearer', issuedAt: now, expiresAt, grant }
}

function isRefusal(status: number): boolean {
  return status === 400 || status === 401 || status === 403
}

function unexpected(
  { status, contentType, json }: HttpAnswer,
  { name, option }: Asked,
  issues: readonly v.BaseIssue<unknown>[] | undefined,
  kept?: RefreshOnly,
): ResponseError {
  const found = { status, keys: keysOf(json), kept }
  if (status >= 300 && status < 400) {
    return new ResponseError(
      `${name} answered with a redirect, which is never followed with a credential; check ${option}`,
      found,
    )
  }
  if (status === 404 || status === 405) {
    return new ResponseError(`${name} is not known there; check ${option}`, found)
  }
  if (/html/i.test(contentType)) {
    return new ResponseError(
      `${name} answered with a web page instead of JSON; check ${option} and what stands in between`,
      found,
    )
  }
  const isOddToken = issues?.some(({ type }) => type === 'regex') ?? false
  return new ResponseError(
    isOddToken
      ? `${name} gave a token that no header can carry; allowed are printable ASCII characters without spaces`
      : `${name} gave no token`,
    found,
  )
}

/** What the vendor's clock shows, from `Date` (RFC 9110, section 6.6.1). */
function dateOf({ headers }: HttpAnswer): Date | undefined {
  const time = Date.parse(headers.date ?? '')
  return Number.isNaN(time) ? undefined : new Date(time)
}

/** An ISO 8601 instant; without a zone it is UTC, as the vendor's SDK reads it. */
function instantOf(told: unknown): Date | undefined {
  const text = typeof told === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+/.test(told) ? told : ''
  const time = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`)
  return Number.isNaN(time) ? undefined : new Date(time)
}

function skewOf(answer: HttpAnswer, now: Date): string {
  const seconds = Math.round(((dateOf(answer) ?? now).getTime() - now.getTime()) / 1000)
  if (Math.abs(seconds) <= codeStepSeconds) return ''
  return `; the clocks differ: the vendor's is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}`
}
