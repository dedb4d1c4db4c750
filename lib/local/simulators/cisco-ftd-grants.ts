import * as v from 'valibot'
import { type Session, type Sessions, type TokenPair, UNLIMITED } from './cisco-ftd-sessions.ts'
import type { Reply } from './http-server.ts'
import type { Bench, Call } from './rules.ts'

/** Password pair. @see the "expires_in" samples of the FTD REST API guide, authentication */
const PASSWORD_ACCESS_SECONDS = 1800
const PASSWORD_REFRESH_SECONDS = 2400
/** @see https://developer.cisco.com/docs/ftd-api-reference/latest/token-token */
const MAX_ACCESS_SECONDS = 31_536_000
const MAX_REFRESH_SECONDS = 34_128_000

const Seconds = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(max))
// A client that has lost its token sends null, which counts as absent.
const Token = v.nullish(v.string(), '')

const Password = v.object({ username: v.string(), password: v.string() })
const Refresh = v.object({ refresh_token: Token })
const Custom = v.object({
  access_token: Token,
  desired_expires_in: v.optional(Seconds(MAX_ACCESS_SECONDS), PASSWORD_ACCESS_SECONDS),
  desired_refresh_expires_in: v.nullish(v.pipe(v.number(), v.integer()), PASSWORD_REFRESH_SECONDS),
  desired_subject: v.nullish(v.string(), ''),
  // The upper bound is not published, and negative counts are not documented.
  desired_refresh_count: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
})
const Revoke = v.object({
  access_token: Token,
  token_to_revoke: Token,
  custom_token_id_to_revoke: Token,
  custom_token_subject_to_revoke: Token,
})

/** A grant type: what faults call it, and what it does with a request body. */
export interface GrantType {
  readonly operations: readonly string[]
  readonly answer: (body: unknown, call: Call) => Reply | Promise<Reply>
}

/**
 * `POST /api/fdm/{v}/fdm/token`. Whatever the rules refuse is 400, as that is the only error the
 * device's own specification lists here; an Authorization header has no meaning.
 *
 * Where the vendor is silent: refresh tokens are single use; the refresh that counts down to 0 still
 * answers with a refresh token, of count 0, that buys nothing; revoking by a subject that nobody
 * bears, or a token that the device never issued, is refused.
 */
export function createGrants(
  bench: Bench,
  sessions: Sessions,
  user: { readonly username: string; readonly password: string },
): Readonly<Record<string, GrantType>> {
  const { chains, tally } = bench

  function refuse(message: string): Reply {
    tally.refusals += 1
    return status(400, message)
  }

  /** The session of a password-granted access token, the only kind that may ask for more. */
  function administrator(accessToken: string, now: Date): Session | undefined {
    const session = sessions.authorizedBy(accessToken, now)
    return session?.terms?.origin === 'password' ? session : undefined
  }

  async function password(body: unknown, call: Call): Promise<Reply> {
    const given = v.safeParse(Password, body)
    if (!given.success) return refuse('username and password are required')
    const { username, password } = given.output
    if (username !== user.username || password !== user.password) return refuse('bad credentials')
    tally.passwordGrants += 1
    const terms = {
      origin: 'password',
      subject: username,
      accessSeconds: PASSWORD_ACCESS_SECONDS,
      refreshSeconds: PASSWORD_REFRESH_SECONDS,
      refreshCount: UNLIMITED,
    } as const
    const withRefreshToken = !call.fault('no-refresh-token')
    return ok(await sessions.open(terms, call.now, withRefreshToken))
  }

  async function custom(body: unknown, call: Call): Promise<Reply> {
    const given = v.safeParse(Custom, body)
    if (!given.success) return refuse('a desired value is out of range')
    const wish = given.output
    const admin = administrator(wish.access_token, call.now)
    if (admin === undefined) return refuse('access_token is not a valid password-granted token')
    if (call.fault('external-user')) return refuse('external users cannot have custom tokens')
    const refreshSeconds = wish.desired_refresh_expires_in
    if (
      wish.desired_refresh_count > 0 &&
      (refreshSeconds > MAX_REFRESH_SECONDS || refreshSeconds <= wish.desired_expires_in)
    ) {
      return refuse('desired_refresh_expires_in is out of range')
    }
    const terms = {
      origin: 'custom',
      subject: wish.desired_subject || user.username,
      accessSeconds: wish.desired_expires_in,
      refreshSeconds,
      refreshCount: wish.desired_refresh_count,
    } as const
    const withRefreshToken = terms.refreshCount > 0 && !call.fault('no-refresh-token')
    return ok(await sessions.open(terms, call.now, withRefreshToken))
  }

  async function refresh(body: unknown, call: Call): Promise<Reply> {
    const given = v.safeParse(Refresh, body)
    const presented = given.success ? given.output.refresh_token : ''
    if (chains.chainOf(presented) === undefined) return refuse('refresh token is not valid')
    tally.spends += 1
    if (chains.consumed(presented)) tally.presentedTwice += 1
    const session = sessions.of(presented)
    if (session === undefined || chains.holds(presented, call.now) !== 'live') {
      return refuse('refresh token is not valid')
    }
    // Consumed before anything is awaited: two presentations at once must not both pass.
    chains.consume(presented)
    const isLast = session.refreshesLeft === 1
    const withRefreshToken =
      !call.fault('no-refresh-token') && !(isLast && call.fault('exhausted-without-refresh'))
    const endsOldAccess = call.fault('refresh-ends-access') !== undefined
    return ok(await sessions.renew(session, call.now, { withRefreshToken, endsOldAccess }))
  }

  function revoke(body: unknown, call: Call): Reply {
    const given = v.safeParse(Revoke, body)
    if (!given.success) return refuse('tokens must be strings')
    const { access_token, token_to_revoke, ...named } = given.output
    const { custom_token_id_to_revoke: id, custom_token_subject_to_revoke: subject } = named
    if ([token_to_revoke, id, subject].filter((one) => one !== '').length !== 1) {
      return refuse('exactly one token to revoke is required')
    }
    if (administrator(access_token, call.now) === undefined) {
      return refuse('access_token is not a valid password-granted token')
    }
    const one = sessions.of(token_to_revoke)
    const isNamed = (session: Session): boolean =>
      session.terms?.origin === 'custom' && (session.id === id || session.terms.subject === subject)
    const doomed = one ? [one] : sessions.alive(call.now).filter(isNamed)
    if (doomed.length === 0) return refuse('no such token')
    for (const session of doomed) sessions.end(session)
    tally.revocations += 1
    return status(200, 'OK')
  }

  return {
    password: { operations: ['grant', 'password'], answer: password },
    custom_token: { operations: ['grant', 'custom', 'token'], answer: custom },
    refresh_token: { operations: ['grant', 'refresh', 'token'], answer: refresh },
    revoke_token: { operations: ['revoke', 'token'], answer: revoke },
  }
}

const ok = (pair: TokenPair): Reply => ({ status: 200, json: pair })

/** `TokenStatus` of the device's specification: both fields always. */
export function status(status_code: number, message: string): Reply {
  return { status: status_code, json: { message, status_code } }
}
