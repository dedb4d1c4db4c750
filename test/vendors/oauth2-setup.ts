import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { Call, Credential, HeldTokens, VendorClient } from '../../lib/core/vendor.ts'
import { createHttp, type Transport } from '../../lib/http.ts'
import { type Oauth2Simulator, oauth2 as simulated } from '../../lib/local/simulators/oauth2.ts'
import type { SimulatorOptions } from '../../lib/local/simulators/simulator.ts'
import { oauth2 } from '../../lib/vendors/oauth2.ts'

/** A connection as configured; decoded as `connections.json` is. */
export function connectionOf(options: Record<string, unknown>) {
  const [connection] = decodeConnections([{ id: 'soc', vendor: 'oauth2', ...options }], { oauth2 })
  if (connection === undefined) throw new Error('no connection')
  return connection
}

export function connect(
  options: Record<string, unknown>,
  credential: Credential,
  transport: Transport = {},
): VendorClient {
  const http = createHttp({ ...oauth2.tlsMaterial?.(credential), ...transport })
  onTestFinished(() => http.close())
  return oauth2.connect(connectionOf(options), credential, http)
}

/** The frame of a call. The server keeps real time, so `now` is the real one unless said otherwise. */
export function call(over: Partial<Call> = {}): Call {
  return { now: new Date(), timeoutSeconds: 5, known: {}, ...over }
}

/** A running server and the rotator's client for it, enrolled with what it handed out. */
export async function startServer(
  options: Record<string, unknown> = {},
  start: SimulatorOptions = { plain: true },
) {
  const server: Oauth2Simulator = await simulated.start(start)
  onTestFinished(() => server.close())
  const { issuer, clientId, clientSecret, privateKey, certificate, refreshToken } =
    server.credential
  const configured = {
    issuer,
    grant: 'refresh_token',
    clientId,
    clientAuthentication: server.credential.tokenEndpointAuthMethod,
    ...options,
  }
  const credential = Object.fromEntries(
    Object.entries({ clientSecret, privateKey, certificate }).filter(([, value]) => value),
  )
  const transport = server.ca === undefined ? {} : { ca: server.ca }
  const held: HeldTokens = { refreshToken: new Redacted(String(refreshToken)) }
  const open = (over: Record<string, unknown> = {}) =>
    connect({ ...configured, ...over }, credential, transport)
  return { server, configured, credential, transport, held, open }
}

/** Asks for the first grant of a client. */
export async function grant(client: VendorClient, held: HeldTokens = {}, over: Partial<Call> = {}) {
  const [first] = client.grants
  if (first === undefined) throw new Error('no grant')
  return first.request(held, call(over))
}

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Canned {
  readonly status?: number
  readonly body?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** Leave the answer unfinished after the headers. */
  readonly stall?: boolean
}

/** A server that says what it is told to and writes down what it saw. */
export async function startCanned(answer: (seen: Seen) => Canned) {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const one = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(pieces).toString('utf8'),
    }
    seen.push(one)
    const { status = 200, body = '', headers = {}, stall } = answer(one)
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    if (stall) response.write(body)
    else response.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, seen }
}

/** A token endpoint that answers with these members beside a good access token. */
export async function startTokenEndpoint(members: Record<string, unknown>, over: Canned = {}) {
  const body = JSON.stringify({ access_token: 'access-1', token_type: 'Bearer', ...members })
  return startCanned(() => ({ body, ...over }))
}
