import * as v from 'valibot'
import { oncePerConnection, VendorOrigin } from '../core/connection.ts'
import { ConfigError, VerifyFailedError } from '../core/errors.ts'
import { later } from '../core/renewal.ts'
import type { Call, Grant, HeldTokens, HttpAnswer, TokenSet, Vendor } from '../core/vendor.ts'
import { readGrant } from './cisco-ftd-answers.ts'
import { shownId } from './token.ts'

/** A password-granted pair, in seconds: access 30 min, refresh 40 min, any number of refreshes. */
const passwordAccessSeconds = 1800

const seconds = (min: number, max: number) =>
  v.pipe(
    v.number(),
    v.integer('allowed is a whole number of seconds'),
    v.minValue(min, `allowed is ${min} or more`),
    v.maxValue(max, `allowed is ${max} or less`),
  )

/** A longer-lived pair; the fields are the device's own `desired_*`. Needs a local user. */
const CustomToken = v.pipe(
  v.strictObject({
    /** Life of the access token, 900 to 31,536,000 s. */
    desiredExpiresIn: v.optional(seconds(900, 31_536_000), 3600),
    /** Life of the refresh token, up to 34,128,000 s; must exceed the access token's. */
    desiredRefreshExpiresIn: v.optional(seconds(900, 34_128_000), 86_400),
    /** Refreshes before the chain must be begun anew; 0 gives no refresh token. */
    desiredRefreshCount: v.optional(seconds(0, 10_000), 9000),
    /** Names the token on the device, for revocation; one of its own for every connection. */
    desiredSubject: v.optional(
      v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/, 'allowed are 1 to 64 letters, digits, . _ -')),
    ),
  }),
  v.check(
    (custom) => custom.desiredRefreshExpiresIn > custom.desiredExpiresIn,
    'allowed is a desiredRefreshExpiresIn that exceeds desiredExpiresIn',
  ),
)

const Options = v.strictObject({
  /** Address of the device's management interface, e.g. `https://192.0.2.10`. */
  url: VendorOrigin,
  /** `latest` by default; pin it where the device is upgraded before its clients. */
  apiVersion: v.optional(
    v.pipe(v.string(), v.regex(/^(latest|v[1-9]\d?)$/, 'allowed is latest, or v1, v2, …')),
    'latest',
  ),
  /** Hold a custom token instead of the 30-minute pair of a login. */
  customToken: v.optional(CustomToken),
  /** Units that may answer, e.g. both of a high-availability pair; any by default. */
  serialNumbers: v.optional(v.pipe(v.array(v.string()), v.minLength(1, 'allowed is at least one'))),
})
const optionsOf = oncePerConnection(({ options }) => v.parse(Options, options))
type CustomToken = v.InferOutput<typeof CustomToken>

const Login = v.object({
  username: v.optional(v.string('allowed is text')),
  password: v.optional(v.string('allowed is text')),
})

/**
 * Cisco Secure Firewall Threat Defense, managed by its own device manager (not by FMC). One endpoint
 * serves four grants; bodies are JSON and there is no client authentication.
 *
 *     password ──► pair of 30/40 min ──refresh──► … (any number)
 *        └─ custom_token (with that access token) ──► pair as asked ──refresh──► … (counted)
 *
 * At most 5 sessions live on a device and a sixth ends the oldest, an administrator's perhaps. So a
 * login happens once per run at most, is never repeated after a refusal, and a custom token is asked
 * for with the held login's access token instead of another login: never more than two sessions are
 * ours, and one once the superseded session is revoked.
 *
 * Not documented, and how it is met: whether a refresh token may be used twice (treated as spent);
 * the fate of the old access token (the new one is published well before its end).
 *
 * @see https://www.cisco.com/c/en/us/td/docs/security/firepower/ftd-api/guide/ftd-rest-api/auth-ftd-rest-api.html
 */
export const ciscoFtd: Vendor = {
  id: 'cisco-ftd',
  title: 'Cisco FTD (device manager)',
  options: Options,
  credentialFields: ['username', 'password', 'refreshToken'],
  spends: () => 'refresh-token',
  enrollmentSteps: [
    'open the device manager of this device and check that the user exists, is a local user and may log in',
    'if its password has changed, have the new one at hand',
  ],
  url: (connection) => new URL(optionsOf(connection).url).origin,
  accessLifetimeSeconds: (connection) =>
    optionsOf(connection).customToken?.desiredExpiresIn ?? passwordAccessSeconds,

  connect(connection, credential, http) {
    const { url, apiVersion, customToken, serialNumbers } = optionsOf(connection)
    const login = v.safeParse(Login, credential)
    if (!login.success) {
      const field = v.getDotPath(login.issues[0]) ?? 'credential'
      throw new ConfigError(field, 'has the wrong shape; allowed is text')
    }
    const { username, password } = login.output
    const base = `${new URL(url).origin}/api/fdm/${apiVersion}`

    const post = async (name: string, json: Record<string, unknown>, call: Call) =>
      http.request({
        name,
        method: 'POST',
        url: `${base}/fdm/token`,
        json,
        timeoutSeconds: call.timeoutSeconds,
      })

    const refresh: Grant = {
      name: 'refresh_token',
      spends: 'refresh-token',
      usable: canRefresh,
      async request(held, call) {
        const refresh_token = held.refreshToken?.reveal()
        const json = { grant_type: 'refresh_token', refresh_token }
        return readGrant(
          await post('refresh_token', json, call),
          'refresh_token',
          apiVersion,
          call.now,
        )
      },
    }
    const logIn: Grant = {
      name: 'password',
      spends: 'nothing',
      usable: () => username !== undefined && password !== undefined,
      async request(held, call) {
        const json = { grant_type: 'password', username, password }
        const tokens = readGrant(
          await post('password', json, call),
          'password',
          apiVersion,
          call.now,
        )
        return customToken === undefined
          ? tokens
          : { ...tokens, renewAt: secondHalfAt(tokens, held) }
      },
    }
    const custom = (wanted: CustomToken): Grant => ({
      name: 'custom_token',
      spends: 'nothing',
      usable: mayBecomeCustom,
      async request(held, call) {
        const answer = await post(
          'custom_token',
          {
            grant_type: 'custom_token',
            access_token: held.accessToken?.reveal(),
            desired_expires_in: wanted.desiredExpiresIn,
            desired_refresh_expires_in: wanted.desiredRefreshExpiresIn,
            desired_subject: wanted.desiredSubject ?? subject(connection.id, call.now),
            desired_refresh_count: wanted.desiredRefreshCount,
          },
          call,
        )
        return readGrant(answer, 'custom_token', apiVersion, call.now)
      },
    })

    return {
      grants: [...(customToken === undefined ? [] : [custom(customToken)]), refresh, logIn],
      headers: ({ accessToken }) => ({ Authorization: `Bearer ${accessToken.reveal()}` }),
      async verify({ accessToken }, call) {
        const answer = await http.request({
          name: 'operational/systeminfo',
          method: 'GET',
          url: `${base}/operational/systeminfo/default`,
          headers: { authorization: `Bearer ${accessToken.reveal()}` },
          timeoutSeconds: call.timeoutSeconds,
        })
        return readUnit(answer, call.known, serialNumbers)
      },
      async revoke(superseded, held, call) {
        for (const { by, session } of revocations(superseded, held, call.now)) {
          const json = { grant_type: 'revoke_token', access_token: by, token_to_revoke: session }
          await post('revoke_token', json, call)
        }
      },
      close: http.close,
    }
  },
}

/**
 * With a custom token wanted, the login is only its first half: the next tick does the second. If a
 * session that still lives is being replaced, that one is ended first, once the consumers' caches
 * have let go of it: six minutes, of a login's thirty.
 */
function secondHalfAt({ issuedAt, expiresAt }: TokenSet, replaced: HeldTokens): Date {
  const lives = replaced.expiresAt && replaced.expiresAt > issuedAt
  if (!lives || expiresAt === null) return issuedAt
  return later(issuedAt, (expiresAt.getTime() - issuedAt.getTime()) / 5000)
}

/** A subject of its own for every token: how the device treats two alike is not documented. */
function subject(connection: string, now: Date): string {
  return `token-rotator-${connection}-${Math.floor(now.getTime() / 1000).toString(36)}`
}

/** A held refresh token with life and, if it is counted, refreshes left. */
function canRefresh(
  { refreshToken, refreshExpiresAt, refreshesLeft }: HeldTokens,
  now: Date,
): boolean {
  if (refreshToken === undefined || refreshesLeft === 0) return false
  return refreshExpiresAt === undefined || refreshExpiresAt > now
}

/**
 * A login in the first third of its life, or where it is due anyway: with a third of it left. In
 * between and afterwards the pair is refreshed, so that a device which gives no custom token for now
 * costs no consumer a fresh token, and is asked again at each renewal.
 */
function mayBecomeCustom(
  { accessToken, facts, issuedAt, expiresAt }: HeldTokens,
  now: Date,
): boolean {
  if (accessToken === undefined || issuedAt === undefined || !expiresAt) return false
  const life = expiresAt.getTime() - issuedAt.getTime()
  const lived = (now.getTime() - issuedAt.getTime()) / life
  return facts?.origin === 'password' && (lived < 1 / 3 || (lived >= 0.6 && lived < 0.7))
}

const Unit = v.object({ serialNumber: v.string() })
const usualSerial = /^[A-Z\d]{1,16}$/

/** Which unit answered: after a fail-over the peer knows none of the other's tokens. */
function readUnit(
  { status, json }: HttpAnswer,
  known: Readonly<Record<string, string>>,
  allowed: readonly string[] | undefined,
) {
  // 408 is how older builds say that a token has expired.
  if (status === 401 || status === 408) {
    throw new VerifyFailedError(`systeminfo refused the new access token (status ${status})`, true)
  }
  // The user's role does not let it read this; the token itself was taken.
  if (status === 403)
    return { warning: 'the user may not read operational/systeminfo: the unit is unchecked' }
  const unit = v.safeParse(Unit, json)
  if (status !== 200 || !unit.success) {
    throw new VerifyFailedError(`systeminfo gave no serial number (status ${status})`, false)
  }
  const serialNumber = shownId(unit.output.serialNumber, usualSerial)
  if (allowed !== undefined && !allowed.includes(unit.output.serialNumber)) {
    throw new VerifyFailedError(
      `unit ${serialNumber} answers; allowed are ${allowed.join(', ')}: its token is not published`,
      true,
    )
  }
  const isOther = known.serialNumber !== undefined && known.serialNumber !== serialNumber
  return {
    facts: { serialNumber },
    ...(isOther
      ? {
          warning: `unit ${serialNumber} answers where ${known.serialNumber} did: fail-over or replacement`,
        }
      : {}),
  }
}

/** Each superseded session with the login that may end it; that login's own session comes last. */
function revocations(superseded: readonly TokenSet[], held: TokenSet, now: Date) {
  const by = [held, ...superseded].find(
    (tokens) =>
      tokens.facts?.origin === 'password' && tokens.expiresAt !== null && tokens.expiresAt > now,
  )
  if (by === undefined) return []
  const ended = superseded.filter((tokens) => tokens.facts?.session !== held.facts?.session)
  return [
    ...ended.filter((tokens) => tokens !== by),
    ...ended.filter((tokens) => tokens === by),
  ].map((tokens) => ({ by: by.accessToken.reveal(), session: tokens.accessToken.reveal() }))
}
