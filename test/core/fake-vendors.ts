import { UnsecuredJWT } from 'jose'
import { TransportError } from '../../lib/core/errors.ts'
import type { Http, HttpAnswer, HttpRequest } from '../../lib/core/vendor.ts'

/** What a vendor knows of itself: the judge of what was lost and what was spent twice. */
export interface FakeVendor {
  readonly http: () => Http
  /** Refresh tokens that were taken, with how often each was presented. */
  readonly presented: Map<string, number>
  /** The refresh token that would be taken now. */
  readonly tip: () => string | undefined
  /** Every refresh token that would be taken now, of a vendor that keeps several sessions. */
  readonly taken?: () => readonly string[]
  readonly isAlive: (accessToken: string) => boolean
  readonly logins: () => number
  /** Answers of the next grants: a status without effect, a loss after it, or no access token that can be used. */
  readonly faults: ('refuse' | 'lose' | 'error' | 'unreachable' | 'half')[]
}

export type Answer = Pick<HttpAnswer, 'status' | 'json'>
export const ok = (json: unknown): Answer => ({ status: 200, json })
export const no = (status: number): Answer => ({
  status,
  json: { message: 'no', status_code: status },
})

/** A connection to a fake: every call is over by microtasks alone, and grants meet the next fault. */
export function transport(
  serve: (request: HttpRequest) => Answer,
  faults: FakeVendor['faults'],
  isGrant = ({ method, url }: HttpRequest) => method === 'POST' && !url.endsWith('/count'),
): () => Http {
  return () => ({
    async request(request): Promise<HttpAnswer> {
      const fault = isGrant(request) ? faults.shift() : undefined
      if (fault === 'unreachable') throw new TransportError('could not reach the vendor', 'no')
      if (fault === 'error') return whole({ status: 503, json: undefined })
      if (fault === 'refuse') return whole(no(400))
      const answer = serve(request)
      if (fault === 'lose') throw new TransportError('no answer from the vendor', 'maybe')
      return whole(fault === 'half' ? half(answer) : answer)
    },
    close: async () => {},
  })
}

function half({ status, json }: Answer): Answer {
  const text = JSON.stringify(json).replace(/("access_?token":)("[^"]*"|\{[^}]*\})/i, '$1""')
  return { status, json: JSON.parse(text) }
}

function whole({ status, json }: Answer): HttpAnswer {
  return {
    ...{ status, json, contentType: 'application/json', headers: {} },
    // Hardly an adapter reads it.
    get text() {
      return json === undefined ? '' : JSON.stringify(json)
    },
  }
}

export function bearer(request: HttpRequest): string {
  return (request.headers?.authorization ?? '').replace('Bearer ', '')
}

/** Kaspersky MDR by its sheet: every refresh token buys one pair. */
export function fakeMdr(now: () => Date, first: string) {
  const presented = new Map<string, number>()
  const living = new Map<string, Date>()
  const faults: FakeVendor['faults'] = []
  let tip: string | undefined = first
  let issued = 0
  const jwt = (kind: string, seconds: number) => {
    const exp = Math.floor(now().getTime() / 1000) + seconds
    return new UnsecuredJWT({ kind, n: issued }).setExpirationTime(exp).encode()
  }
  const serve = (request: HttpRequest): Answer => {
    if (request.url.endsWith('/incidents/count')) {
      const end = living.get(bearer(request))
      return end !== undefined && end > now() ? ok({ count: 0 }) : no(403)
    }
    const { refresh_token: token } = request.json as { refresh_token: string }
    presented.set(token, (presented.get(token) ?? 0) + 1)
    if (token !== tip) return { status: 200, json: { error: 'invalid' } }
    issued++
    tip = jwt('refresh', 604_800)
    const access = jwt('access', 3600)
    living.set(access, new Date(now().getTime() + 3_600_000))
    return ok({ access_token: access, refresh_token: tip })
  }
  return {
    http: transport(serve, faults),
    presented,
    faults,
    tip: () => tip,
    isAlive: (token: string) => (living.get(token) ?? now()) > now(),
    logins: () => 0,
    /** What an operator gets at the console: a chain begun anew. */
    renew(token: string) {
      tip = token
    },
  }
}

/** Cisco FTD by its sheet: logins, counted custom tokens, five sessions. */
export function fakeFtd(now: () => Date, login = { username: 'api', password: 'made-up-1' }) {
  const presented = new Map<string, number>()
  const sessions = new Map<
    string,
    {
      origin: string
      /** Access tokens of the session that still live. */
      access: Map<string, Date>
      refresh?: string
      refreshEnd: Date
      lives: [number, number]
      left: number
    }
  >()
  const faults: FakeVendor['faults'] = []
  const state = {
    logins: 0,
    refusedLogins: 0,
    issued: 0,
    evicted: 0,
    serialNumber: 'JAD00000001',
    customAllowed: true,
    /** Not documented, so both are played: whether a refresh ends the former access token. */
    oldAccessDies: false,
  }
  const later = (seconds: number) => new Date(now().getTime() + seconds * 1000)
  const claims = (jti: string, origin: string, end: Date, extra: object) =>
    new UnsecuredJWT({ origin, n: state.issued, ...extra })
      .setSubject('api')
      .setJti(jti)
      .setIssuedAt(now())
      .setExpirationTime(end)
      .encode()
  const issue = (jti: string, origin: string, lives: [number, number], left: number): Answer => {
    state.issued++
    const [accessEnd, refreshEnd] = [later(lives[0]), later(lives[1])]
    const access = claims(jti, origin, accessEnd, { tokenType: 'JWT_Access' })
    const refresh = claims(jti, origin, refreshEnd, {
      tokenType: 'JWT_Refresh',
      refreshCount: left,
    })
    const former = state.oldAccessDies ? [] : (sessions.get(jti)?.access ?? [])
    sessions.set(jti, {
      origin,
      access: new Map([...former, [access, accessEnd]]),
      ...(left === 0 ? {} : { refresh }),
      refreshEnd,
      lives,
      left,
    })
    while (sessions.size > 5) {
      state.evicted++
      sessions.delete([...sessions.keys()][0] as string)
    }
    return ok({
      access_token: access,
      expires_in: lives[0],
      token_type: 'Bearer',
      ...(left === 0 ? {} : { refresh_token: refresh, refresh_expires_in: lives[1] }),
    })
  }
  const isEnded = (s: { access: Map<string, Date>; refreshEnd: Date }) =>
    s.refreshEnd <= now() && [...s.access.values()].every((end) => end <= now())
  const holder = (token: unknown) =>
    [...sessions.entries()].find(([, s]) => (s.access.get(String(token)) ?? now()) > now())
  const serve = (request: HttpRequest): Answer => {
    for (const [jti, s] of sessions) if (isEnded(s)) sessions.delete(jti)
    if (request.method === 'GET') {
      return holder(bearer(request)) ? ok({ serialNumber: state.serialNumber }) : no(401)
    }
    const body = request.json as Record<string, unknown>
    switch (body.grant_type) {
      case 'password':
        if (body.username !== login.username || body.password !== login.password) {
          state.refusedLogins++
          return no(400)
        }
        state.logins++
        return issue(`session-${state.issued}`, 'password', [1800, 2400], -1)
      case 'custom_token': {
        const by = holder(body.access_token)
        if (by?.[1].origin !== 'password' || !state.customAllowed) return no(400)
        const lives: [number, number] = [
          Number(body.desired_expires_in),
          Number(body.desired_refresh_expires_in),
        ]
        return issue(`session-${state.issued}`, 'custom', lives, Number(body.desired_refresh_count))
      }
      case 'refresh_token': {
        const token = String(body.refresh_token)
        presented.set(token, (presented.get(token) ?? 0) + 1)
        const found = [...sessions.entries()].find(
          ([, s]) => s.refresh === token && s.refreshEnd > now(),
        )
        if (found === undefined) return no(400)
        const [jti, s] = found
        return issue(jti, s.origin, s.lives, s.left === -1 ? -1 : s.left - 1)
      }
      case 'revoke_token': {
        if (holder(body.access_token)?.[1].origin !== 'password') return no(400)
        for (const [jti, s] of sessions) {
          if (s.access.has(String(body.token_to_revoke)) || s.refresh === body.token_to_revoke)
            sessions.delete(jti)
        }
        return ok({ message: 'OK', status_code: 200 })
      }
      default:
        return no(400)
    }
  }
  return {
    http: transport(serve, faults),
    presented,
    faults,
    state,
    sessions,
    /** A reboot, or an administrator who ends every session. */
    reboot: () => sessions.clear(),
    tip: () => [...sessions.values()].at(-1)?.refresh,
    taken: () =>
      [...sessions.values()].flatMap(({ refresh, refreshEnd }) =>
        refresh === undefined || refreshEnd <= now() ? [] : [refresh],
      ),
    isAlive: (token: string) => holder(token) !== undefined,
    logins: () => state.logins,
  }
}
