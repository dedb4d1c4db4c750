import { Secret, TOTP } from 'otpauth'
import * as v from 'valibot'
import { parseJson, type Reply, type Request } from './http-server.ts'
import type { Bench, Call } from './rules.ts'
import { expiry, signToken } from './token.ts'

/** @see https://github.com/code42/developer.code42.com source/api/user-guides/get_started.rmd */
const CLIENT_SECONDS = 900
/** @see https://mimecastsupport.zendesk.com/hc/en-us/articles/42665963622547-Code42-API-authentication-methods */
const USER_SECONDS = 1800
/** Not published for the refresh pair: access as a user's, refresh half a day. */
const PAIR_SECONDS = { access: USER_SECONDS, refresh: 12 * 3600 }

const TOTP_PERIOD_SECONDS = 30
const CODE_REQUIRED = 'TIME_BASED_ONE_TIME_PASSWORD_REQUIRED'
const SET_UP_REQUIRED = 'TOTP_AUTH_CONFIGURATION_REQUIRED_FOR_USER'

const Pair = v.object({ refreshToken: v.string() })

/** What a fault makes of the answer to a mint. */
const oddities: Readonly<Record<string, object>> = {
  'no-expires-in': { expires_in: undefined },
  'expires-in-zero': { expires_in: 0 },
  'expires-in-negative': { expires_in: -900 },
  'expires-in-text': { expires_in: '900' },
  'expires-in-huge': { expires_in: 1e12 },
  'other-token-type': { token_type: 'mac' },
}

/** The three ways to a token, and whether one is good. */
export type Tokens = Awaited<ReturnType<typeof createTokens>>

/**
 * One tenant with one API client, one local account with two-factor login, and refresh pairs.
 *
 * Where the vendor is silent: tokens of all three kinds open the same doors; a refused mint is 401 and
 * `invalid_client`; credentials in header and form at once are 400; codes of one step before and after
 * are good (RFC 6238, section 5.2); a refresh token is single use and a refused one is 401.
 */
export function createTokens(bench: Bench) {
  const { chains, tally, random } = bench
  const hex = (size: number) => Buffer.from(random(size)).toString('hex')
  const key = random(32)
  const tenantUid = hex(16)
  // With the characters that shells, forms and URLs trip over, as in secrets seen.
  const newSecret = () => `%#@&+:${hex(16)}`
  let clientSecret = newSecret()
  const totp = new TOTP({ secret: new Secret({ buffer: new Uint8Array(random(20)).buffer }) })
  const account = {
    clientId: `key-${hex(16)}`,
    username: 'integration@example.test',
    password: `Sim-${hex(12)}`,
    totpSecret: totp.secret.base32,
  }
  const living = new Map<string, Date>()
  const usedSteps = new Set<number>()
  let firstRefreshToken: string | undefined

  async function issue(seconds: number, call: Call, claims: object = {}) {
    const { at, exp } = expiry(call.now, seconds)
    const iat = exp - seconds
    const token = await signToken({ ...claims, tenantUid, iat, exp, jti: hex(8) }, key)
    living.set(token, at)
    tally.issued += 1
    return { token: call.fault('line-break') ? `${token}\r\nX-Injected: 1` : token, expiresAt: at }
  }

  function refuse(reply: Reply): Reply {
    tally.refusals += 1
    return reply
  }

  /** `POST /v1/oauth`, in all four spellings: bare, query, form and header, form alone. */
  async function mint(call: Call): Promise<Reply> {
    const { request } = call
    const form = formOf(request)
    const basic = basicOf(request)
    const inForm = form.has('client_id') || form.has('client_secret')
    if (basic !== undefined && inForm) return refuse(oauthError(400, 'invalid_request'))
    const type = form.get('grant_type') ?? request.query.get('grant_type')
    if (type !== null && type !== 'client_credentials') {
      return refuse(oauthError(400, 'unsupported_grant_type'))
    }
    const id = basic?.name ?? form.get('client_id')
    const secret = basic?.secret ?? form.get('client_secret')
    if (id !== account.clientId || secret !== clientSecret) return refuse(invalidClient)
    const seconds = bench.lifetime(CLIENT_SECONDS)
    const { token } = await issue(seconds, call)
    const odd = Object.keys(oddities).find((kind) => call.fault(kind)) ?? ''
    const json = { access_token: token, token_type: 'bearer', expires_in: seconds }
    return { status: 200, json: { ...json, ...oddities[odd] } }
  }

  /** The same mint through the console host, whose clients read `data` as well. */
  async function consoleMint(call: Call): Promise<Reply> {
    const reply = await mint(call)
    return reply.status === 200 && call.fault('nested-data')
      ? { ...reply, json: { data: reply.json } }
      : reply
  }

  /** A code is used up by the login that succeeded with it, not by one that was refused. */
  function takeCode({ request, now }: Call): boolean {
    const timestamp = now.getTime()
    const code = String(request.headers['totp-auth'] ?? '')
    const delta = totp.validate({ token: code, timestamp, window: 1 })
    if (delta === null) return false
    const step = TOTP.counter({ timestamp, period: TOTP_PERIOD_SECONDS }) + delta
    if (usedSteps.has(step)) return false
    usedSteps.add(step)
    return true
  }

  async function logIn(call: Call): Promise<Reply> {
    const basic = basicOf(call.request)
    if (basic?.name !== account.username || basic.secret !== account.password)
      return refuse(unknown)
    if (call.fault('totp-not-set-up')) return refuse(keyed(SET_UP_REQUIRED, call))
    if (!call.fault('totp-off') && !takeCode(call)) return refuse(keyed(CODE_REQUIRED, call))
    tally.passwordGrants += 1
    // Codes are not compressed, so neither are tokens below two of their steps: a renewal that fell
    // into the step of the login before would find no fresh code.
    const seconds = Math.max(2 * TOTP_PERIOD_SECONDS, bench.lifetime(USER_SECONDS))
    const { token } = await issue(seconds, call)
    if (/^true$/i.test(call.request.query.get('useBody') ?? '')) {
      return { status: 200, json: { data: { v3_user_token: token }, error: null, warnings: null } }
    }
    const cookie = `v3_user_token=${encodeURIComponent(token)}; Path=/; Secure; HttpOnly`
    return { status: 200, json: { data: null, error: null }, headers: { 'set-cookie': cookie } }
  }

  /** @returns the first refresh token of a new chain */
  function newRefreshToken(): string {
    return addRefreshToken(hex(8), bench.now()).token
  }

  function addRefreshToken(chain: string, from: Date) {
    const token = hex(32)
    const { at: expiresAt } = expiry(from, bench.lifetime(PAIR_SECONDS.refresh))
    chains.add({ chain, token, expiresAt })
    return { token, expiresAt }
  }

  async function refresh(call: Call): Promise<Reply> {
    const body = v.safeParse(Pair, parseJson(call.request))
    const presented = body.success ? body.output.refreshToken : ''
    const chain = chains.chainOf(presented)
    if (chain === undefined) return refuse(invalidRefreshToken)
    tally.spends += 1
    if (chains.consumed(presented)) tally.presentedTwice += 1
    if (chains.holds(presented, call.now) !== 'live') return refuse(invalidRefreshToken)
    // Consumed before anything is awaited: two presentations at once must not both pass.
    chains.consume(presented)
    const next = addRefreshToken(chain, call.now)
    const access = await issue(bench.lifetime(PAIR_SECONDS.access), call)
    const isOdd = call.fault('odd-expires-at') !== undefined
    const half = ({ token, expiresAt }: { token: string; expiresAt: Date }) => ({
      tokenValue: token,
      expiresAt: isOdd ? 'soon' : expiresAt.toISOString(),
    })
    const refreshToken = call.fault('no-refresh-token') ? {} : { refreshToken: half(next) }
    return { status: 200, json: { accessToken: half(access), ...refreshToken } }
  }

  return {
    tenantUid,
    username: account.username,
    credential: {
      ...account,
      get clientSecret() {
        return clientSecret
      },
      // Begins its chain when somebody looks: a token that nobody was ever given cannot be lost.
      get refreshToken() {
        firstRefreshToken ??= newRefreshToken()
        return firstRefreshToken
      },
    },
    mint,
    consoleMint,
    logIn,
    refresh,
    newRefreshToken,
    /** What the `refuse` fault answers. */
    refuseMint: () => refuse(invalidClient),
    refuseLogin: () => refuse(unknown),
    refuseRefresh: () => refuse(invalidRefreshToken),
    /** The console's "reset secret": the former one is cut off at once. */
    resetSecret() {
      clientSecret = newSecret()
      return clientSecret
    },
    isGood: (token: string, now: Date) => now < (living.get(token) ?? now),
    alive: (now: Date) => [...living.values()].filter((end) => now < end).length,
  }
}

const oauthError = (status: number, error: string): Reply => ({ status, json: { error } })
const invalidClient = oauthError(401, 'invalid_client')
const invalidRefreshToken = oauthError(401, 'invalid_refresh_token')
const unknown: Reply = {
  status: 401,
  body: 'Could not authenticate user\n',
  headers: { 'content-type': 'text/plain; charset=utf-8' },
}

/** Clients find the key wherever it stands. */
function keyed(primaryErrorKey: string, call: Call): Reply {
  return call.fault('key-elsewhere')
    ? { status: 401, json: { data: { login: { reasons: [`LOGIN: ${primaryErrorKey}`] } } } }
    : { status: 401, json: { data: null, error: [{ primaryErrorKey, otherErrors: null }] } }
}

function formOf(request: Request): URLSearchParams {
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')
  return new URLSearchParams(isForm ? request.body.toString('utf8') : '')
}

/** Name and secret of `Authorization: Basic` (RFC 7617): the secret may hold colons, the name none. */
function basicOf({ headers }: Request): { name: string; secret: string } | undefined {
  const encoded = /^basic +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  if (encoded === undefined) return undefined
  const [name = '', ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  return { name, secret: secret.join(':') }
}
