import type { HttpRequest } from '../../lib/core/vendor.ts'
import { type Answer, bearer, type FakeVendor, no, ok, transport } from './fake-vendors.ts'
import { livingTokens } from './living-tokens.ts'

export const oauth2Issuer = 'https://login.example.com'
export const oauth2Client = {
  clientId: 'made-up-client',
  clientSecret: 'made-up %+/= 1',
}

export interface Oauth2Behaviour {
  /** Whether a refresh token is used up by its use. Default true. */
  readonly rotates?: boolean
  /**
   * A spent token is taken once more for so long after its use, and gives what it gave or yet another
   * pair, the former one staying good. Default: it is not.
   */
  readonly grace?: { readonly seconds: number; readonly gives: 'same' | 'new' }
  /** Whether there is an introspection endpoint. Default false. */
  readonly introspects?: boolean
  /** Life of access tokens; default 1800 s. */
  readonly accessSeconds?: number
}

const refreshSeconds = 30 * 86_400

/** A refresh token, as its server knows it. */
interface Refresh {
  readonly family: number
  readonly end: Date
  /** When it was used, and what that gave. */
  spent?: { readonly at: Date; readonly gave: Answer; isRepeated: boolean }
}

/**
 * An authorization server by the RFCs: `client_secret_basic`, both grants, and where it rotates, the
 * end of the whole family with its access tokens as soon as a spent token is sent again (RFC 9700,
 * section 4.14.2).
 *
 * @param first the refresh token that begins a chain; without it there is none
 */
export function fakeOauth2(
  now: () => Date,
  first?: string,
  { rotates = true, grace, introspects = false, accessSeconds = 1800 }: Oauth2Behaviour = {},
) {
  const presented = new Map<string, number>()
  const faults: FakeVendor['faults'] = []
  const access = livingTokens(now)
  const families = new Map<string, number>()
  const refreshTokens = new Map<string, Refresh>()
  const state = { issued: 0, minted: 0, revokedFamilies: 0, revoked: 0 }
  let tip: string | undefined
  let grants = 1
  if (first !== undefined) addRefresh(first, 1)

  function addRefresh(token: string, family: number) {
    for (const [known, { end }] of refreshTokens) if (end <= now()) refreshTokens.delete(known)
    const end = new Date(now().getTime() + refreshSeconds * 1000)
    refreshTokens.set(token, { family, end })
    tip = token
  }

  function accessToken(family?: number): string {
    for (const known of families.keys()) if (!access.isAlive(known)) families.delete(known)
    const token = `access-${++state.issued}.`
    access.add(token, accessSeconds)
    if (family !== undefined) families.set(token, family)
    return token
  }

  function refresh(form: URLSearchParams): Answer {
    const token = form.get('refresh_token') ?? ''
    if (token === '') return refusal(400, 'invalid_request')
    // What is not used up may be presented at will, so it is not counted.
    if (rotates) presented.set(token, (presented.get(token) ?? 0) + 1)
    const known = refreshTokens.get(token)
    if (known === undefined || known.end <= now()) return refusal(400, 'invalid_grant')
    const { family, spent } = known
    if (spent !== undefined) {
      const isInGrace =
        grace !== undefined &&
        !spent.isRepeated &&
        now().getTime() - spent.at.getTime() < grace.seconds * 1000
      if (!isInGrace) {
        endFamily(family)
        return refusal(400, 'invalid_grant')
      }
      spent.isRepeated = true
      return grace.gives === 'same' ? spent.gave : pair(family)
    }
    if (!rotates) return ok(answer(accessToken(family)))
    const gave = pair(family)
    known.spent = { at: now(), gave, isRepeated: false }
    return gave
  }

  function pair(family: number): Answer {
    const access_token = accessToken(family)
    // Ends with a dot, so that no token's text is the beginning of another's.
    const refresh_token = `refresh-${state.issued}.`
    addRefresh(refresh_token, family)
    return ok({ ...answer(access_token), refresh_token })
  }

  function answer(access_token: string) {
    return { access_token, token_type: 'bearer', expires_in: accessSeconds, scope: 'read' }
  }

  function endFamily(family: number) {
    state.revokedFamilies++
    for (const [token, known] of refreshTokens) {
      if (known.family === family) refreshTokens.delete(token)
    }
    for (const [token, of] of families) if (of === family) access.end(token)
  }

  function isTaken(token: string): boolean {
    const known = refreshTokens.get(token)
    return known !== undefined && known.spent === undefined && known.end > now()
  }

  function grant(form: URLSearchParams): Answer {
    switch (form.get('grant_type')) {
      case 'refresh_token':
        return refresh(form)
      case 'client_credentials':
        state.minted++
        return ok(answer(accessToken()))
      default:
        return refusal(400, 'unsupported_grant_type')
    }
  }

  const metadata = {
    issuer: oauth2Issuer,
    token_endpoint: `${oauth2Issuer}/token`,
    revocation_endpoint: `${oauth2Issuer}/revoke`,
    ...(introspects ? { introspection_endpoint: `${oauth2Issuer}/introspect` } : {}),
  }
  const asClient: Readonly<Record<string, (form: URLSearchParams) => Answer>> = {
    '/token': grant,
    ...(introspects && {
      '/introspect': (form) => ok({ active: isTaken(form.get('token') ?? '') }),
    }),
    '/revoke': (form) => {
      const token = form.get('token') ?? ''
      const family = families.get(token)
      state.revoked++
      // A server may end the whole grant with it (RFC 7009, section 2.1), and there are some that do.
      if (family === undefined) access.end(token)
      else endFamily(family)
      return { status: 200, json: undefined }
    },
  }

  const serve = (request: HttpRequest): Answer => {
    const { pathname } = new URL(request.url)
    if (request.method === 'GET') {
      if (pathname === '/.well-known/oauth-authorization-server') return ok(metadata)
      return access.isAlive(bearer(request)) ? ok({}) : no(401)
    }
    const answered = asClient[pathname]
    if (answered === undefined) return no(404)
    if (!isClient(request.headers?.authorization)) return refusal(401, 'invalid_client')
    return answered(new URLSearchParams(request.body))
  }

  return {
    http: transport(serve, faults, ({ url }) => url.endsWith('/token')),
    presented,
    faults,
    state,
    tip: () => (tip !== undefined && isTaken(tip) ? tip : undefined),
    taken: () => [...refreshTokens.keys()].filter(isTaken),
    isAlive: access.isAlive,
    logins: () => 0,
    /** A person authorizes anew: another family begins with this token, and the former ones end. */
    authorize(token: string) {
      refreshTokens.clear()
      addRefresh(token, ++grants)
    },
  }
}

function refusal(status: number, error: string): Answer {
  return { status, json: { error } }
}

/** Both halves are percent-encoded before Base64 (RFC 6749, section 2.3.1). */
function isClient(authorization = ''): boolean {
  const halves = atob(authorization.replace('Basic ', '')).split(':')
  const [id, secret] = halves.map((half) => new URLSearchParams(`text=${half}`).get('text'))
  return id === oauth2Client.clientId && secret === oauth2Client.clientSecret
}
