import * as v from 'valibot'
import { commonFaults, type FaultCatalogue } from './faults.ts'
import { host } from './host.ts'
import { bearer, parseJson, type Reply, type Request } from './http-server.ts'
import { createTenant } from './kaspersky-mdr-tenant.ts'
import type { Bench, Call, Endpoint, Rules } from './rules.ts'
import type { Simulator, SimulatorKind } from './simulator.ts'
import { expiry, signToken } from './token.ts'

/** @see https://support.kaspersky.com/MDR/en-US/204470.htm */
const CONSOLE_REFRESH_SECONDS = 24 * 3600
const API_REFRESH_SECONDS = 7 * 24 * 3600
const ACCESS_SECONDS = 3600

const PATH = /^\/api\/v1\/([^/]+)\/(.+)$/
const Confirm = v.object({ refresh_token: v.string() })

const faults = {
  ...commonFaults,
  'refuse-401-json': { about: 'refused grants: 401 and {"error"}; so by default' },
  'refuse-403-json': { about: 'refused grants: 403 and {"error"}' },
  'refuse-200-error': { about: 'refused grants: 200 and {"error"}' },
  'refuse-400-text': { about: 'refused grants: 400 and plain text' },
  'error-object': { about: 'the member `error` is an object instead of a string' },
  'expired-403': { about: 'bad access tokens: 403; so by default' },
  'expired-401': { about: 'bad access tokens: 401' },
  'family-revocation': { about: 'a refresh token presented again ends its whole chain' },
} as const satisfies FaultCatalogue

/** MDR, and what its console can do. */
export interface MdrSimulator extends Simulator {
  /** A new refresh token of 24 h, as the Refresh button of the console shows; begins a chain. */
  newConsoleToken(): Promise<string>
  /** The console's Revoke: from now on no refresh token of this connection works. */
  revokeConnection(): void
}

/**
 * Kaspersky MDR: one customer, one API connection, a single-use refresh token as the only credential.
 * Where the vendor is silent: an access token lives to its own end, whatever becomes of its chain
 * (except under `family-revocation`), and a token under another `client_id` is refused, not consumed.
 *
 * @see https://support.kaspersky.com/MDR/en-US/204469.htm
 */
export const kasperskyMdr: SimulatorKind<MdrSimulator> = {
  id: 'kaspersky-mdr',
  faults,
  operations: ['grant', 'refresh', 'verify'],
  async start(options = {}) {
    const { simulator, rules } = await host(kasperskyMdr, connection, options)
    const { newConsoleToken, revokeConnection } = rules
    return { ...simulator, newConsoleToken, revokeConnection }
  },
}

interface AccessToken {
  readonly chain: string
  readonly expiresAt: Date
}

async function connection(bench: Bench) {
  const { chains, tally } = bench
  const hex = (size: number) => Buffer.from(bench.random(size)).toString('hex')
  const key = bench.random(32)
  const clientId = hex(14)
  const accessTokens = new Map<string, AccessToken>()
  const tenant = createTenant(bench.now)

  /** `exp` is the one claim that any source relies on; `jti` tells apart what one second issues. */
  async function sign(seconds: number, from: Date): Promise<{ token: string; expiresAt: Date }> {
    const { at, exp } = expiry(from, bench.lifetime(seconds))
    return { token: await signToken({ exp, jti: hex(16) }, key), expiresAt: at }
  }

  async function newConsoleToken(): Promise<string> {
    const refresh = await sign(CONSOLE_REFRESH_SECONDS, bench.now())
    chains.add({ chain: hex(8), ...refresh })
    return refresh.token
  }

  function revokeConnection(): void {
    for (const { id } of chains.list(bench.now())) chains.revoke(id)
  }

  async function confirm(call: Call, client: string): Promise<Reply> {
    const body = v.safeParse(Confirm, parseJson(call.request))
    const presented = body.success ? body.output.refresh_token : ''
    const chain = chains.chainOf(presented)
    if (chain === undefined) return refuse(call)
    tally.spends += 1
    if (chains.consumed(presented)) {
      tally.presentedTwice += 1
      if (call.fault('family-revocation')) endFamily(chain)
      return refuse(call)
    }
    if (client !== clientId || chains.holds(presented, call.now) !== 'live') return refuse(call)
    // Consumed before anything is awaited: two presentations at once must not both pass.
    chains.consume(presented)
    const access = await sign(ACCESS_SECONDS, call.now)
    const refresh = await sign(API_REFRESH_SECONDS, call.now)
    accessTokens.set(access.token, { chain, expiresAt: access.expiresAt })
    chains.add({ chain, ...refresh })
    tally.issued += 1
    return { status: 200, json: { access_token: access.token, refresh_token: refresh.token } }
  }

  function endFamily(chain: string): void {
    chains.revoke(chain)
    for (const [token, access] of accessTokens) {
      if (access.chain === chain) accessTokens.delete(token)
    }
  }

  function refuse(call: Call): Reply {
    tally.refusals += 1
    if (call.fault('refuse-400-text')) return { status: 400, body: 'Bad Request\n', headers: text }
    const json = errorOf(call, 'refresh token is not valid')
    if (call.fault('refuse-200-error')) return { status: 200, json }
    return { status: call.fault('refuse-403-json') ? 403 : 401, json }
  }

  function isAuthorized({ request, now }: Call, client: string): boolean {
    const held = accessTokens.get(bearer(request) ?? '')
    return client === clientId && held !== undefined && now < held.expiresAt
  }

  async function resource(call: Call, client: string, path: string): Promise<Reply> {
    if (!isAuthorized(call, client)) {
      tally.unauthorized += 1
      const status = call.fault('expired-401') ? 401 : 403
      return { status, json: errorOf(call, 'authorization error') }
    }
    tally.authorized += 1
    return (await tenant[path]?.(call.request)) ?? notFound
  }

  function route(request: Request): Endpoint {
    const [, client = '', path = ''] = PATH.exec(request.path) ?? []
    const isConfirm = path === 'session/confirm'
    if (!isConfirm && !Object.hasOwn(tenant, path)) {
      return { name: 'unknown path', operations: [], answer: () => notFound }
    }
    if (request.method !== 'POST') {
      return { name: `${request.method} ${path}`, operations: [], answer: () => postOnly }
    }
    if (isConfirm) {
      return {
        name: 'POST session/confirm',
        operations: ['grant', 'refresh'],
        answer: (call) => confirm(call, client),
        refuse,
      }
    }
    return {
      name: `POST ${path}`,
      operations: ['verify'],
      answer: (call) => resource(call, client, path),
    }
  }

  const rules = {
    credential: { clientId, refreshToken: await newConsoleToken() },
    route,
    sessionsAlive: (now) => chains.list(now).filter(({ tipLive }) => tipLive).length,
    controls: {
      'POST console-token': async () => ({ refreshToken: await newConsoleToken() }),
      'POST revoke': () => {
        revokeConnection()
        return {}
      },
    },
  } satisfies Rules
  return { ...rules, newConsoleToken, revokeConnection }
}

const text = { 'content-type': 'text/plain; charset=utf-8' }
const notFound: Reply = { status: 404, json: { error: 'not found' } }
const postOnly: Reply = {
  status: 405,
  json: { error: 'method not allowed' },
  headers: { allow: 'POST' },
}

function errorOf(call: Call, message: string): { error: unknown } {
  return { error: call.fault('error-object') ? { code: 'AUTH', message } : message }
}
