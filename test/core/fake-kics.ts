import type { HttpRequest } from '../../lib/core/vendor.ts'
import { type Answer, bearer, type FakeVendor, no, ok, transport } from './fake-vendors.ts'
import { livingTokens } from './living-tokens.ts'

export interface KicsBehaviour {
  /** `logon_session_timeout` in seconds: both tokens of a pair live as long. */
  readonly sessionSeconds?: number
  /** Whether grants give a refresh token; without one the certificate buys every token. */
  readonly givesRefreshToken?: boolean
}

/**
 * KICS for Networks by its sheet: the grant stands in the query string; a certificate begins a chain
 * at any time, a refresh token carries it on once. The certificate is TLS's: who comes here has shown it.
 */
export function fakeKics(
  now: () => Date,
  { sessionSeconds = 36_000, givesRefreshToken = true }: KicsBehaviour = {},
) {
  const presented = new Map<string, number>()
  const faults: FakeVendor['faults'] = []
  const access = livingTokens(now)
  const refresh = livingTokens(now)
  const state = { issued: 0, certificateGrants: 0 }
  let tip: string | undefined

  function issue(): Answer {
    const number = ++state.issued
    const pair = {
      access_token: `access-${number}.`,
      token_type: 'bearer',
      expires_in: sessionSeconds,
    }
    access.add(pair.access_token, sessionSeconds)
    if (!givesRefreshToken) return ok(pair)
    tip = `refresh-${number}.`
    refresh.add(tip, sessionSeconds)
    return ok({ ...pair, refresh_token: tip })
  }

  function grant(query: URLSearchParams): Answer {
    const token = query.get('refresh_token') ?? ''
    switch (query.get('grant_type')) {
      case 'certificate':
        state.certificateGrants++
        return issue()
      case 'refresh_token':
        presented.set(token, (presented.get(token) ?? 0) + 1)
        if (!refresh.isAlive(token)) return no(401)
        refresh.end(token)
        return issue()
      default:
        return no(400)
    }
  }

  const serve = (request: HttpRequest): Answer => {
    const { pathname, searchParams } = new URL(request.url)
    const isToken = /^\/(kics|kics4net)\/api\/auth\/v[34]\/token$/.test(pathname)
    if (isToken) return request.method === 'POST' ? grant(searchParams) : no(405)
    if (!pathname.endsWith('/about')) return no(404)
    return access.isAlive(bearer(request)) ? ok({ version: '4.1.0.0' }) : no(401)
  }

  return {
    http: transport(serve, faults),
    presented,
    faults,
    state,
    tip: () => (tip !== undefined && refresh.isAlive(tip) ? tip : undefined),
    taken: () => refresh.living(),
    isAlive: access.isAlive,
    logins: () => state.certificateGrants,
    /** The Server has been restored from a copy: it knows none of its chains, but serves its access tokens. */
    forgetChains: () => refresh.clear(),
  }
}
