import { UnsecuredJWT } from 'jose'
import { Secret, TOTP } from 'otpauth'
import type { HttpRequest } from '../../lib/core/vendor.ts'
import { type Answer, bearer, type FakeVendor, no, ok, transport } from './fake-vendors.ts'
import { livingTokens } from './living-tokens.ts'

/** What the console gave for two of the three ways in. */
export const incydrCredential = {
  client: { clientId: 'key-made-up', clientSecret: 'made-up %#@& 1' },
  account: {
    username: 'collector@example.com',
    password: 'made-up-1',
    totpSecret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
  },
}

const clientSeconds = 900
const userSeconds = 1800
const refreshSeconds = 7 * 86_400
const codeSeconds = 30

const codeRequired = { error: [{ primaryErrorKey: 'TIME_BASED_ONE_TIME_PASSWORD_REQUIRED' }] }

/**
 * Code42 Incydr by its sheet: the API gateway, the console and the refresh URL.
 *
 * @param first the refresh token that begins a chain; without it there is none
 */
export function fakeIncydr(now: () => Date, first?: string) {
  const { client, account } = incydrCredential
  const presented = new Map<string, number>()
  const faults: FakeVendor['faults'] = []
  const access = livingTokens(now)
  const refresh = livingTokens(now)
  if (first !== undefined) refresh.add(first, refreshSeconds)
  const totp = new TOTP({ secret: Secret.fromBase32(account.totpSecret), period: codeSeconds })
  const state = { issued: 0, minted: 0, logins: 0, replayedCodes: 0 }
  let tip = first
  /** The time step of the last code that was taken: neither it nor an older one is taken again. */
  let lastStep = 0

  function accessToken(seconds: number): string {
    const issuedAt = Math.floor(now().getTime() / 1000)
    const token = new UnsecuredJWT({ tenantUid: 'tenant-1', n: ++state.issued })
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + seconds)
      .encode()
    access.add(token, seconds)
    return token
  }

  function mint({ headers = {} }: HttpRequest): Answer {
    if (headers.authorization !== basic(client.clientId, client.clientSecret)) return no(401)
    state.minted++
    const access_token = accessToken(clientSeconds)
    return ok({ access_token, token_type: 'bearer', expires_in: clientSeconds })
  }

  function login({ headers = {} }: HttpRequest): Answer {
    if (headers.authorization !== basic(account.username, account.password)) return no(401)
    // As RFC 6238, section 5.2 allows: one step behind or ahead.
    const timestamp = now().getTime()
    const delta = totp.validate({ token: headers['totp-auth'] ?? '', timestamp, window: 1 })
    const step = delta === null ? undefined : totp.counter({ timestamp }) + delta
    if (step === undefined || step <= lastStep) {
      if (step !== undefined) state.replayedCodes++
      return { status: 401, json: codeRequired }
    }
    lastStep = step
    state.logins++
    return ok({ data: { v3_user_token: accessToken(userSeconds) }, error: null, warnings: null })
  }

  function refreshed({ json }: HttpRequest): Answer {
    const { refreshToken: token } = json as { refreshToken: string }
    presented.set(token, (presented.get(token) ?? 0) + 1)
    if (!refresh.isAlive(token)) return no(401)
    refresh.end(token)
    const half = (tokenValue: string, seconds: number) => {
      return { tokenValue, expiresAt: new Date(now().getTime() + seconds * 1000).toISOString() }
    }
    const accessHalf = half(accessToken(userSeconds), userSeconds)
    // Ends with a dot, so that no token's text is the beginning of another's.
    tip = `refresh-${state.issued}.`
    refresh.add(tip, refreshSeconds)
    return ok({ accessToken: accessHalf, refreshToken: half(tip, refreshSeconds) })
  }

  const grants: Readonly<Record<string, (request: HttpRequest) => Answer>> = {
    'POST /v1/oauth': mint,
    'GET /api/v3/auth/jwt': login,
    'POST /v1/refresh-token': refreshed,
  }
  const proof = (request: HttpRequest, json: unknown): Answer =>
    access.isAlive(bearer(request)) ? ok(json) : no(401)
  const proofs: Readonly<Record<string, (request: HttpRequest) => Answer>> = {
    'GET /v1/customer': (request) => proof(request, { name: 'Example', tenantId: 'tenant-1' }),
    'GET /api/v1/User/my': (request) => proof(request, { data: { username: account.username } }),
  }
  const route = ({ method, url }: HttpRequest) => `${method} ${new URL(url).pathname}`
  const serve = (request: HttpRequest): Answer => {
    const answer = grants[route(request)] ?? proofs[route(request)]
    return answer === undefined ? no(404) : answer(request)
  }

  return {
    http: transport(serve, faults, (request) => route(request) in grants),
    presented,
    faults,
    state,
    tip: () => tip,
    isAlive: access.isAlive,
    logins: () => state.logins,
  }
}

function basic(name: string, secret: string): string {
  return `Basic ${Buffer.from(`${name}:${secret}`, 'utf8').toString('base64')}`
}
