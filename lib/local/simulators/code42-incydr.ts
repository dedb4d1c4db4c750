import { createTokens } from './code42-incydr-tokens.ts'
import { commonFaults, type FaultCatalogue } from './faults.ts'
import { host } from './host.ts'
import { bearer, type Reply, type Request } from './http-server.ts'
import type { Bench, Call, Endpoint, Rules } from './rules.ts'
import type { Simulator, SimulatorKind } from './simulator.ts'

const faults = {
  ...commonFaults,
  'rate-limited': { about: '429 with Retry-After, without effect' },
  redirect: { about: '302 to another host, without effect' },
  'no-permission': { about: 'the API client may read nothing: 403', on: 'verify' },
  'nested-data': { about: 'the mint of the console host nests its answer under `data`' },
  'no-expires-in': { about: 'the mint does not say how long its token lives', on: 'mint' },
  'expires-in-zero': { about: 'the mint says expires_in 0', on: 'mint' },
  'expires-in-negative': { about: 'the mint says expires_in -900', on: 'mint' },
  'expires-in-text': { about: 'the mint says expires_in "900"', on: 'mint' },
  'expires-in-huge': { about: 'the mint says expires_in 1e12', on: 'mint' },
  'other-token-type': { about: 'the mint says token_type mac', on: 'mint' },
  'line-break': { about: 'access tokens hold CR and LF', on: 'grant' },
  'totp-off': { about: 'the account has no two-factor login', on: 'login' },
  'totp-not-set-up': { about: 'the account must still set up two-factor login', on: 'login' },
  'key-elsewhere': { about: 'error keys of the login stand deep in the body', on: 'login' },
  'odd-expires-at': { about: 'the ends of a refreshed pair are no instants', on: 'refresh' },
  'no-refresh-token': { about: 'a refreshed pair lacks its refresh token', on: 'refresh' },
} as const satisfies FaultCatalogue

/** Incydr, and what its console can do. */
export interface IncydrSimulator extends Simulator {
  /** The console's "reset secret". @returns the new client secret; the former one is dead at once */
  resetSecret(): string
  /** A refresh token that begins a chain. */
  newRefreshToken(): string
}

/**
 * Code42 Incydr: the API gateway and the console host in one.
 *
 *     POST /v1/oauth                             API client -> token of 15 min
 *     POST /api/v3/oauth/token                   the same through the console host, as py42 asks
 *     GET  /api/v3/auth/jwt, /c42api/v3/auth/jwt, /v1/auth   account and code -> token of 30 min
 *     POST /v1/refresh-token                     refresh token -> pair; the vendor publishes no path
 *
 * @see https://github.com/code42/incydr_python src/_incydr_sdk/core
 * @see https://github.com/code42/py42 src/py42/services/_auth.py
 */
export const code42Incydr: SimulatorKind<IncydrSimulator> = {
  id: 'code42-incydr',
  faults,
  operations: ['grant', 'mint', 'login', 'refresh', 'verify', 'login-configuration'],
  async start(options = {}) {
    const { simulator, rules } = await host(code42Incydr, tenant, options)
    const { resetSecret, newRefreshToken } = rules
    return { ...simulator, resetSecret, newRefreshToken }
  },
}

function tenant(bench: Bench) {
  const { tally } = bench
  const tokens = createTokens(bench)
  const { tenantUid, username, resetSecret, newRefreshToken } = tokens
  const registrationKey = Buffer.from(bench.random(8)).toString('hex')

  /** A dead bearer is 401, never 403: only that makes py42 drop its token and mint again. */
  function resource(json: unknown): Omit<Endpoint, 'name'> {
    return {
      operations: ['verify'],
      answer(call) {
        if (!tokens.isGood(bearer(call.request) ?? '', call.now)) {
          tally.unauthorized += 1
          return { status: 401, json: { error: 'unauthorized' } }
        }
        tally.authorized += 1
        return call.fault('no-permission')
          ? { status: 403, json: { error: 'forbidden' } }
          : { status: 200, json }
      },
    }
  }

  const mint = { operations: ['grant', 'mint'], refuse: tokens.refuseMint }
  const login = {
    operations: ['grant', 'login'],
    answer: tokens.logIn,
    refuse: tokens.refuseLogin,
  }
  const endpoints: Readonly<Record<string, Omit<Endpoint, 'name'>>> = {
    'POST /v1/oauth': { ...mint, answer: tokens.mint },
    'POST /api/v3/oauth/token': { ...mint, answer: tokens.consoleMint },
    'GET /api/v3/auth/jwt': login,
    'GET /c42api/v3/auth/jwt': login,
    'GET /v1/auth': login,
    'POST /v1/refresh-token': {
      operations: ['grant', 'refresh'],
      answer: tokens.refresh,
      refuse: tokens.refuseRefresh,
    },
    // Asked without Authorization, after a refused login; unknown users are told the same.
    'GET /api/v3/LoginConfiguration': {
      operations: ['login-configuration'],
      answer: () => ({ status: 200, json: { data: { loginType: 'LOCAL_2FA' } } }),
    },
    'GET /api/v3/customer/my': resource({ data: { tenantUid } }),
    'GET /api/v1/User/my': resource({ data: { username } }),
    'GET /v1/customer': resource({
      name: 'Simulated tenant',
      registrationKey,
      tenantId: tenantUid,
    }),
    'GET /v1/users': resource({ users: [], totalCount: 0 }),
  }

  function route({ method, path }: Request): Endpoint {
    const name = `${method} ${path}`
    const found = Object.hasOwn(endpoints, name) ? endpoints[name] : undefined
    if (found === undefined) {
      return { name: 'unknown path', operations: [], answer: (call) => dated(notFound, call) }
    }
    const { operations, answer, refuse } = found
    return {
      name,
      operations,
      answer: async (call) => dated(turnedAway(call) ?? (await answer(call)), call),
      ...(refuse === undefined ? {} : { refuse: (call) => dated(refuse(call), call) }),
    }
  }

  const rules = {
    credential: tokens.credential,
    route,
    sessionsAlive: tokens.alive,
    controls: {
      'POST reset-secret': () => ({ clientSecret: resetSecret() }),
      'POST refresh-token': () => ({ refreshToken: newRefreshToken() }),
    },
  } satisfies Rules
  return { ...rules, resetSecret, newRefreshToken }
}

const notFound: Reply = { status: 404, json: { error: 'not found' } }

/** `Date` by the vendor's own clock: the instants in its answers are told by no other. */
function dated(reply: Reply, { now }: Call): Reply {
  return { ...reply, headers: { ...reply.headers, date: now.toUTCString() } }
}

/** What the environment answers instead of the tenant. */
function turnedAway(call: Call): Reply | undefined {
  if (call.fault('rate-limited')) {
    return { status: 429, json: { error: 'too many requests' }, headers: { 'retry-after': '5' } }
  }
  if (call.fault('redirect')) {
    return { status: 302, headers: { location: 'https://sso.example.test/login' } }
  }
  return undefined
}
