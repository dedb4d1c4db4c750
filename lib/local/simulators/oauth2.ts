import { gzipSync } from 'node:zlib'
import type { Provider } from 'oidc-provider'
import { createAuthority } from '../certificate.ts'
import { commonFaults, type FaultCatalogue } from './faults.ts'
import { host } from './host.ts'
import { bearer, type Reply, type Request } from './http-server.ts'
import { certificateName, type DemoClient, demoClients } from './oauth2-clients.ts'
import { type InProcess, inProcess } from './oauth2-in-process.ts'
import { consent, createProvider } from './oauth2-provider.ts'
import { createRecords } from './oauth2-records.ts'
import type { Bench, Call, Endpoint, Rules, ServerIdentity } from './rules.ts'
import type { Credential, Simulator, SimulatorKind, SimulatorOptions } from './simulator.ts'

/** Lives before `speed`: what is usual for access tokens, and the library's own for refresh tokens. */
const ACCESS_SECONDS = 3600
const CLIENT_CREDENTIALS_SECONDS = 1800
const REFRESH_SECONDS = 14 * 86_400
const BODY_BEYOND_BOUNDS = 2 * 1024 * 1024

const faults = {
  ...commonFaults,
  'keep-refresh-token': { about: 'refresh tokens are not rotated, the answer carries none' },
  'refuse-client': { about: '401 invalid_client though nothing is wrong with it', on: 'grant' },
  'no-expires-in': { about: 'takes effect, the answer says nothing of a lifetime', on: 'grant' },
  'zero-expires-in': { about: 'takes effect, expires_in is 0', on: 'grant' },
  'header-injection': { about: 'takes effect, the access token holds CR and LF', on: 'grant' },
  gzip: { about: 'takes effect, the body comes compressed: 2 MiB in 2 KiB', on: 'grant' },
  oversized: { about: 'takes effect, the body has 2 MiB', on: 'grant' },
  redirect: { about: '307 to another host, without effect', on: 'grant' },
  'blind-introspection': { about: 'introspection calls every token inactive', on: 'introspect' },
  'other-issuer': { about: 'the metadata is of another issuer', on: 'discovery' },
} as const satisfies FaultCatalogue

/** An authorization server with one client for every client authentication. */
export interface Oauth2Simulator extends Simulator {
  /** What the client of each client authentication was handed, without a refresh token. */
  readonly clients: Readonly<Record<string, Credential>>
  /** A person's consent: a refresh token of a new family, for the client of that authentication. */
  newRefreshToken(clientAuthentication?: string): Promise<string>
}

/**
 * `oidc-provider` with rotation on: what is presented again ends its family, the newest pair included,
 * and so does revoking an access token. It keeps real time: `now` dates the simulator's counters, and
 * `speed` shortens lives. Beside it stands an API that takes its tokens, `GET /api/alerts`.
 *
 * Variants are the client authentications, `client_secret_basic` by default; and `client_credentials`,
 * the same client without a refresh token, which nobody would hold.
 */
export const oauth2: SimulatorKind<Oauth2Simulator> = {
  id: 'oauth2',
  faults,
  operations: ['grant', 'refresh', 'introspect', 'revoke', 'discovery', 'verify'],
  async start(options = {}) {
    const { simulator, rules } = await host(oauth2, (bench) => server(bench, options), options)
    const started = await rules.open(simulator.url)
    return { ...simulator, ...started }
  },
}

async function server(bench: Bench, { plain = false, variant }: SimulatorOptions) {
  const { chains, tally } = bench
  const isAlone = variant === 'client_credentials'
  const method = isAlone ? 'client_secret_basic' : (variant ?? 'client_secret_basic')
  const authority = plain ? undefined : await createAuthority('token-rotator oauth2', new Date())
  const clients = await demoClients(
    await authority?.issue({ usage: 'client', commonName: certificateName }),
  )
  const known = (name: string): DemoClient => {
    const client = clients[name]
    if (client !== undefined) return client
    const some = Object.keys(clients).join(', ')
    throw new RangeError(
      `variant '${name}': allowed are ${some}, client_credentials, and tls_client_auth over TLS`,
    )
  }
  known(method)
  const opened: { provider?: Provider; app?: InProcess; keepsToken: boolean } = {
    keepsToken: false,
  }

  async function open(issuer: string) {
    const lives = {
      access: bench.lifetime(ACCESS_SECONDS),
      clientCredentials: bench.lifetime(CLIENT_CREDENTIALS_SECONDS),
      refresh: bench.lifetime(REFRESH_SECONDS),
    }
    const records = createRecords((grantId) => chains.revoke(grantId))
    let original: (stream: unknown) => unknown = () => undefined
    const provider = await createProvider({
      issuer,
      records,
      clients: Object.values(clients),
      lives,
      rotates: () => !opened.keepsToken,
      socketOf: ({ socket }) => original(socket),
    })
    provider.on('grant.success', () => {
      tally.issued += 1
    })
    provider.on('refresh_token.saved', ({ jti, grantId = '' }) => {
      const expiresAt = new Date(bench.now().getTime() + lives.refresh * 1000)
      chains.add({ chain: grantId, token: jti, expiresAt })
    })
    provider.on('refresh_token.consumed', ({ jti }) => {
      if (chains.consumed(jti)) tally.presentedTwice += 1
      chains.consume(jti)
    })
    opened.provider = provider
    opened.app = inProcess((find) => {
      original = find
      return provider.callback()
    })
    return {
      clients: Object.fromEntries(
        Object.entries(clients).map(([name, { credential }]) => [name, credential]),
      ),
      newRefreshToken,
      credential: {
        issuer,
        ...known(method).credential,
        ...(isAlone ? {} : { refreshToken: await newRefreshToken() }),
        tokenEndpointAuthMethod: method,
      },
    }
  }

  async function newRefreshToken(name = method): Promise<string> {
    if (opened.provider === undefined) throw new Error('not open yet')
    return consent(opened.provider, String(known(name).metadata.client_id))
  }

  async function pass(call: Call): Promise<Reply> {
    const { request } = call
    const headers = { ...request.headers, 'x-forwarded-proto': plain ? 'http' : 'https' }
    const reply = await opened.app?.answer({ ...request, headers })
    return reply ?? { status: 503 }
  }

  async function grant(call: Call, form: URLSearchParams): Promise<Reply> {
    if (call.fault('redirect')) {
      return { status: 307, headers: { location: 'https://elsewhere.example/token' } }
    }
    if (call.fault('refuse-client')) {
      tally.refusals += 1
      return { status: 401, json: { error: 'invalid_client' } }
    }
    const presented = form.get('refresh_token') ?? ''
    if (chains.chainOf(presented) !== undefined) tally.spends += 1
    if (chains.consumed(presented)) tally.presentedTwice += 1
    const keeps = call.fault('keep-refresh-token') !== undefined
    opened.keepsToken = keeps
    const reply = await pass(call)
    if (reply.status !== 200) tally.refusals += 1
    return reply.status === 200 ? disfigure(call, reply, keeps) : reply
  }

  async function introspect(call: Call): Promise<Reply> {
    const reply = await pass(call)
    const isBlind = reply.status === 200 && call.fault('blind-introspection')
    return isBlind ? { status: 200, json: { active: false } } : reply
  }

  async function revoke(call: Call): Promise<Reply> {
    const reply = await pass(call)
    if (reply.status === 200) tally.revocations += 1
    return reply
  }

  async function metadata(call: Call): Promise<Reply> {
    const reply = await pass(call)
    if (!call.fault('other-issuer')) return reply
    return { ...reply, json: { ...asObject(reply.json), issuer: 'https://other.example' } }
  }

  async function alerts({ request }: Call): Promise<Reply> {
    const token = bearer(request) ?? ''
    const found =
      (await opened.provider?.AccessToken.find(token)) ??
      (await opened.provider?.ClientCredentials.find(token))
    tally[found === undefined ? 'unauthorized' : 'authorized'] += 1
    if (found !== undefined) return { status: 200, json: { alerts: [], client: found.clientId } }
    const headers = { 'www-authenticate': 'Bearer error="invalid_token"' }
    return { status: 401, json: { error: 'invalid_token' }, headers }
  }

  function route(request: Request): Endpoint {
    const form = new URLSearchParams(request.body.toString('utf8'))
    const name = `${request.method} ${request.path}`
    if (name === 'POST /token') {
      const type = form.get('grant_type')
      return {
        name,
        operations: ['grant', ...(type === 'refresh_token' ? ['refresh'] : [])],
        answer: (call) => grant(call, form),
        refuse: () => {
          tally.refusals += 1
          return { status: 400, json: { error: 'invalid_grant' } }
        },
      }
    }
    if (name === 'POST /token/introspection') {
      return { name, operations: ['introspect'], answer: introspect }
    }
    if (name === 'POST /token/revocation') return { name, operations: ['revoke'], answer: revoke }
    if (name === 'GET /api/alerts') return { name, operations: ['verify'], answer: alerts }
    const isMetadata = request.path.startsWith('/.well-known/')
    return isMetadata
      ? { name, operations: ['discovery'], answer: metadata }
      : { name: 'another path', operations: [], answer: pass }
  }

  const identity = await identityOf(authority)
  return {
    open,
    // Known once the port is.
    credential: {},
    ...(identity === undefined ? {} : { identity }),
    route,
    sessionsAlive: (now) => chains.list(now).filter(({ tipLive }) => tipLive).length,
    controls: {
      'GET clients': () => Object.values(clients).map(({ credential }) => credential),
      'POST refresh-token': async () => ({ refreshToken: await newRefreshToken() }),
    },
  } satisfies Rules & Record<string, unknown>
}

/** Clients may show a certificate; which of them must is the business of the authorization server. */
async function identityOf(
  authority: Awaited<ReturnType<typeof createAuthority>> | undefined,
): Promise<ServerIdentity | undefined> {
  if (authority === undefined) return undefined
  const issued = await authority.issue({ usage: 'server', commonName: 'simulated oauth2' })
  const { key, cert, fingerprint } = issued
  const { ca } = authority
  const tls = { key, cert, ca, requestCert: true, rejectUnauthorized: false }
  return { tls, ca, pin: `sha256/${fingerprint}` }
}

/** What becomes of a good answer under a fault. */
function disfigure(call: Call, reply: Reply, keeps: boolean): Reply {
  const { refresh_token, expires_in, ...rest } = asObject(reply.json)
  const token = keeps || refresh_token === undefined ? {} : { refresh_token }
  const json = { ...rest, ...token, expires_in }
  if (call.fault('no-expires-in')) return { ...reply, json: { ...rest, ...token } }
  if (call.fault('zero-expires-in')) return { ...reply, json: { ...json, expires_in: 0 } }
  if (call.fault('header-injection')) {
    return { ...reply, json: { ...json, access_token: 'made-up\r\nX-Injected: yes' } }
  }
  if (call.fault('oversized')) {
    return { ...reply, json: { ...json, padding: 'x'.repeat(BODY_BEYOND_BOUNDS) } }
  }
  if (call.fault('gzip')) {
    const text = JSON.stringify({ ...json, padding: 'x'.repeat(BODY_BEYOND_BOUNDS) })
    const { json: _, ...whole } = reply
    const headers = { ...reply.headers, 'content-encoding': 'gzip' }
    return { ...whole, headers, body: gzipSync(text) }
  }
  return { ...reply, json }
}

function asObject(json: unknown): Record<string, unknown> {
  return typeof json === 'object' && json !== null ? { ...json } : {}
}
