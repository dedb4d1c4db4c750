import type { TLSSocket } from 'node:tls'
import { createSelfSigned } from '../certificate.ts'
import { commonFaults, type FaultCatalogue } from './faults.ts'
import { guardHandshake } from './handshake-guard.ts'
import { host } from './host.ts'
import { bearer, type Listener, type Reply, type Request } from './http-server.ts'
import { createPackage } from './kics-for-networks-package.ts'
import { resource } from './kics-for-networks-records.ts'
import type { Bench, Call, Endpoint, Rules } from './rules.ts'
import type { Credential, Simulator, SimulatorKind } from './simulator.ts'
import { expiry, signToken } from './token.ts'

/** `logon_session_timeout`: by default, and the least it can be. */
const ACCESS_SECONDS = 36_000
const SHORT_SECONDS = 60
const SKEW_SECONDS = 600

const PATH = /^\/(?:kics|kics4net)\/api\/(?:auth\/v[34]\/(token)|v[34]\/(.+))$/

const faults = {
  ...commonFaults,
  'require-certificate': {
    about: 'the listener requires the certificate: without it a handshake fails, whatever the call',
    on: 'handshake',
  },
  'certificate-alert': {
    about: 'a certificate that is not the connector’s gets a TLS alert (TLS 1.2), not 401',
    on: 'handshake',
  },
  'blocked-user': { about: 'the user behind the connector is blocked: 403 to grants and calls' },
  'multi-use': { about: 'a refresh token may be used until it expires', on: 'refresh' },
  'no-refresh-token': { about: 'grants give an access token alone', on: 'grant' },
  'short-lived': { about: 'tokens live for 60 s, the least there is', on: 'grant' },
  'refuse-400': { about: 'refused grants: 400; otherwise 401', on: 'grant' },
  'refuse-403': { about: 'refused grants: 403; otherwise 401', on: 'grant' },
  'error-json': { about: 'errors have a JSON body; otherwise they have none' },
  redirect: { about: '302 to another host; without effect', on: 'grant' },
  'expires-zero': { about: 'takes effect, `expires_in` is 0', on: 'grant' },
  'expires-negative': { about: 'takes effect, `expires_in` is negative', on: 'grant' },
  'expires-string': { about: 'takes effect, `expires_in` is a string', on: 'grant' },
  'expires-huge': { about: 'takes effect, `expires_in` is more than 43200 min', on: 'grant' },
  'clock-ahead': { about: 'the claims of tokens are 10 min ahead', on: 'grant' },
  'clock-behind': { about: 'the claims of tokens are 10 min behind', on: 'grant' },
  'line-break': { about: 'takes effect, the refresh token holds CR and LF', on: 'grant' },
} as const satisfies FaultCatalogue

/** What is odd about `expires_in`, by fault. */
const oddLifetimes: Readonly<Record<string, (seconds: number) => unknown>> = {
  'expires-zero': () => 0,
  'expires-negative': (seconds) => -seconds,
  'expires-string': String,
  'expires-huge': () => 2_592_001,
}

/** KICS for Networks, and what an administrator can do in its web interface. */
export interface KicsSimulator extends Simulator {
  /** A new communication data package; the former certificate is worth nothing from now on. */
  newPackage(): Promise<Credential>
}

/**
 * KICS for Networks: one connector. The listener asks every client for a certificate and decides per
 * request. Where the vendor is silent: refresh tokens are single use and live as long as the access
 * token that came with them; an access token lives to its own end, whatever becomes of its chain and
 * of its package; a refused refresh consumes nothing. On plain HTTP nobody can show a certificate, so
 * only the bearer calls make sense there; `POST /_sim/token` gives what a grant would have.
 *
 * @see https://support.kaspersky.com/help/KICSforNetworks/4.1/kics4netAPI/PublicApi-Auth-v4.html
 */
export const kicsForNetworks: SimulatorKind<KicsSimulator> = {
  id: 'kics-for-networks',
  faults,
  operations: ['grant', 'certificate', 'refresh', 'verify', 'query', 'handshake'],
  async start(options = {}) {
    const { simulator, rules } = await host(kicsForNetworks, connector, options)
    return { ...simulator, newPackage: rules.newPackage }
  },
}

async function connector(bench: Bench) {
  const { chains, tally } = bench
  const hex = (size: number) => Buffer.from(bench.random(size)).toString('hex')
  const key = bench.random(32)
  const server = await createSelfSigned({ usage: 'server', commonName: 'kics-server' }, new Date())
  let current = await createPackage(server, hex(12))
  const accessTokens = new Map<string, Date>()

  async function newPackage(): Promise<Credential> {
    current = await createPackage(server, hex(12))
    return current.credential
  }

  const isCurrent = (shown: Buffer | undefined): boolean =>
    shown !== undefined && current.certificate.equals(shown)

  const admit: Listener['admit'] = (socket) => {
    const required = bench.fault('require-certificate', 'handshake') !== undefined
    if (bench.fault('certificate-alert', 'handshake') !== undefined) {
      const isWelcome = (shown?: Buffer) => isCurrent(shown) || (!required && shown === undefined)
      return { tls: { maxVersion: 'TLSv1.2' }, stream: guardHandshake(socket, isWelcome) }
    }
    return required ? { tls: { rejectUnauthorized: true, ca: current.trusted } } : {}
  }

  async function issue(call: Pick<Call, 'now' | 'fault'>, chain: string): Promise<Reply> {
    const seconds = bench.lifetime(call.fault('short-lived') ? SHORT_SECONDS : ACCESS_SECONDS)
    const skew = call.fault('clock-ahead') ? 1 : call.fault('clock-behind') ? -1 : 0
    const { at } = expiry(call.now, seconds)
    const exp = Math.floor(at.getTime() / 1000) + skew * SKEW_SECONDS
    const access = await signToken({ exp, jti: hex(16) }, key)
    accessTokens.set(access, at)
    tally.issued += 1
    const odd = Object.keys(oddLifetimes).find((kind) => call.fault(kind))
    const json = {
      access_token: access,
      token_type: 'bearer',
      expires_in: odd === undefined ? seconds : oddLifetimes[odd]?.(seconds),
    }
    if (call.fault('no-refresh-token')) return { status: 200, json }
    const refresh = await signToken({ exp, jti: hex(16) }, key)
    const refresh_token = call.fault('line-break') ? `${refresh}\r\nx-injected: 1` : refresh
    chains.add({ chain, token: refresh_token, expiresAt: at })
    return { status: 200, json: { ...json, refresh_token } }
  }

  async function grant(call: Call): Promise<Reply> {
    if (call.fault('redirect')) {
      return { status: 302, headers: { location: 'https://elsewhere.invalid/token' } }
    }
    const { socket, query } = call.request
    const shown = (socket as Partial<TLSSocket>).getPeerCertificate?.()?.raw
    const presented = query.get('refresh_token') ?? ''
    const chain = chains.chainOf(presented)
    if (query.get('grant_type') === 'refresh_token' && chain !== undefined) {
      tally.spends += 1
      if (chains.consumed(presented)) tally.presentedTwice += 1
    }
    if (!isCurrent(shown)) return refuse(call)
    if (call.fault('blocked-user')) return { ...refuse(call), status: 403 }
    switch (query.get('grant_type')) {
      case 'certificate':
        return issue(call, hex(8))
      case 'refresh_token':
        if (chain === undefined || chains.holds(presented, call.now) !== 'live') return refuse(call)
        // Consumed before anything is awaited: two presentations at once must not both pass.
        if (!call.fault('multi-use')) chains.consume(presented)
        return issue(call, chain)
      default:
        // Also what a grant in the body comes to.
        tally.refusals += 1
        return failure(call, 400, 'grant_type')
    }
  }

  function refuse(call: Call): Reply {
    tally.refusals += 1
    if (call.fault('refuse-400')) return failure(call, 400, 'not accepted')
    return failure(call, call.fault('refuse-403') ? 403 : 401, 'not accepted')
  }

  function authorized(call: Call, answer: (request: Request) => Reply): Reply {
    const end = accessTokens.get(bearer(call.request) ?? '')
    if (end === undefined || call.now >= end) {
      tally.unauthorized += 1
      return failure(call, 401, 'unauthorized')
    }
    tally.authorized += 1
    return call.fault('blocked-user') ? failure(call, 403, 'forbidden') : answer(call.request)
  }

  function route(request: Request): Endpoint {
    const { method, path } = request
    const [, token, below = ''] = PATH.exec(path) ?? []
    if (token !== undefined) {
      const name = `${method} auth/token`
      if (method !== 'POST') {
        return { name, operations: [], answer: (call) => failure(call, 405, 'POST only') }
      }
      const kind = request.query.get('grant_type') === 'refresh_token' ? 'refresh' : 'certificate'
      return { name, operations: ['grant', kind], answer: grant, refuse }
    }
    const answer = resource(`${method} ${below}`)
    if (answer === undefined) {
      return {
        name: 'unknown path',
        operations: [],
        answer: (call) => failure(call, 404, 'not found'),
      }
    }
    const operations = [below === 'about' ? 'verify' : 'query']
    return { name: `${method} ${below}`, operations, answer: (call) => authorized(call, answer) }
  }

  const rules = {
    credential: current.credential,
    identity: {
      tls: { key: server.key, cert: server.cert, requestCert: true, rejectUnauthorized: false },
      admit,
      ca: server.cert,
      pin: `sha256/${server.fingerprint}`,
    },
    route,
    sessionsAlive: (now) => [...accessTokens.values()].filter((end) => now < end).length,
    controls: {
      'POST new-package': newPackage,
      'POST token': async () => (await issue(quiet(bench), hex(8))).json,
    },
  } satisfies Rules
  return { ...rules, newPackage }
}

/** A call that no fault strikes: a control is not the vendor's API. */
function quiet(bench: Bench): Pick<Call, 'now' | 'fault'> {
  return { now: bench.now(), fault: () => undefined }
}

/** Bodies of errors are not documented: none, or the shape of the day. */
function failure(call: Call, status: number, message: string): Reply {
  return call.fault('error-json') ? { status, json: { status, message } } : { status }
}
