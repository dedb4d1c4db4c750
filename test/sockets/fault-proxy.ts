import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http'
import {
  createServer as createTlsServer,
  Agent as HttpsAgent,
  request as requestHttps,
} from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { IssuedCertificate } from '../../lib/local/certificate.ts'
import { type Answered, deliver, type Fault } from './faults.ts'

/** A request on its way, read to its end. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface FaultProxyOptions {
  /** Origin of the server behind the proxy. */
  readonly upstream: string
  /** PEM that verifies that server, for https. */
  readonly upstreamCa?: string
  /** Own certificate; plain HTTP without one. */
  readonly certificate?: IssuedCertificate
  /** Certificates of clients, with their keys: who shows one here is shown with it there. */
  readonly clients?: readonly { readonly certificate: string; readonly privateKey: string }[]
  /** Which fault strikes an exchange. */
  readonly fault: (exchange: Exchange) => Fault | undefined
  /** Told before the server is, and after it has answered; the client knows nothing yet. */
  readonly onForward?: (exchange: Exchange) => void
  readonly onAnswer?: (exchange: Exchange, answered: Answered) => void
  /** What the client is told instead. @default what the server answered */
  readonly rewrite?: (exchange: Exchange, answered: Answered) => Answered
  /** Pause between two bytes of a drip. @default 1000 */
  readonly dripMilliseconds?: number
}

export interface FaultProxy {
  readonly url: string
  /** Cuts the clients off, and waits for what the server is still doing. */
  close(): Promise<void>
}

// They belong to one connection, not to the message.
const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length'])

/**
 * Stands between a client and one server, on a port of 127.0.0.1, and spoils exchanges. TLS ends here
 * and begins anew, so that every fault strikes exactly where it says; each connection of a client has
 * one to the server, since some servers bind a login to it. What the server says of its own address is
 * rewritten to this one.
 */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { certificate, fault: choose, dripMilliseconds = 1000 } = options
  const upstream = new URL(options.upstream)
  const wires = new Map<number, Socket>()
  const underWay = new Set<Promise<void>>()

  async function pass(message: IncomingMessage, agent: HttpAgent): Promise<void> {
    const secure = message.socket
    const raw = wires.get(secure.remotePort ?? 0)
    const exchange = await read(message)
    if (raw === undefined) return
    const fault = choose(exchange)
    if (fault === 'reset-before') return void raw.resetAndDestroy()
    options.onForward?.(exchange)
    let answered: Answered
    try {
      answered = await ask(exchange, upstream, agent)
    } catch {
      // The server itself dropped the connection.
      return void raw.destroy()
    }
    options.onAnswer?.(exchange, answered)
    if (secure.destroyed) return
    const body = Buffer.from(
      answered.body.toString('latin1').replaceAll(upstream.origin, url),
      'latin1',
    )
    const own = { ...answered, body }
    await deliver(options.rewrite?.(exchange, own) ?? own, fault, { secure, raw }, dripMilliseconds)
  }

  const lines = new WeakMap<Socket, { agent: HttpAgent; last: Promise<void> }>()
  const lineOf = (socket: Socket) => {
    const known = lines.get(socket)
    if (known !== undefined) return known
    const line = { agent: newAgent(options, socket), last: Promise.resolve() }
    lines.set(socket, line)
    // What was asked takes effect, whether or not anybody is left to hear of it.
    socket.once('close', () => void line.last.finally(() => line.agent.destroy()))
    return line
  }
  const listener = (message: IncomingMessage) => {
    const line = lineOf(message.socket)
    // A client that goes away in mid-request has asked nothing.
    const passing = pass(message, line.agent).catch(() => void message.socket.destroy())
    line.last = passing
    underWay.add(passing)
    void passing.then(() => underWay.delete(passing))
  }
  const server =
    certificate === undefined
      ? createServer(listener)
      : createTlsServer(
          {
            key: certificate.key,
            cert: certificate.cert,
            requestCert: true,
            rejectUnauthorized: false,
          },
          listener,
        )
  server.keepAliveTimeout = 0
  // It does not listen itself, and so keeps a listener for each connection that it is handed.
  server.setMaxListeners(0)
  const front = createNetServer((socket) => {
    const port = socket.remotePort ?? 0
    wires.set(port, socket)
    socket.once('close', () => wires.delete(port))
    socket.on('error', () => undefined)
    server.emit('connection', socket)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  const { port } = front.address() as AddressInfo
  const url = `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  return {
    url,
    async close() {
      const closed = once(front, 'close')
      front.close()
      for (const socket of wires.values()) socket.destroy()
      await closed
      await Promise.all(underWay)
    },
  }
}

function newAgent(
  { upstream, upstreamCa, clients = [] }: FaultProxyOptions,
  socket: Socket,
): HttpAgent {
  const one = { keepAlive: true, maxSockets: 1 }
  if (!upstream.startsWith('https:')) return new HttpAgent(one)
  const shown = (socket as Partial<TLSSocket>).getPeerCertificate?.().raw
  const client = clients.find(
    ({ certificate }) => shown !== undefined && new X509Certificate(certificate).raw.equals(shown),
  )
  return new HttpsAgent({
    ...one,
    ...(upstreamCa === undefined ? {} : { ca: upstreamCa, allowPartialTrustChain: true }),
    ...(client === undefined ? {} : { cert: client.certificate, key: client.privateKey }),
  })
}

async function read(message: IncomingMessage): Promise<Exchange> {
  const body = (await bytes(message)).toString('utf8')
  const { method = 'GET', url: path = '/', headers } = message
  return { method, path, headers, body }
}

async function bytes(message: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of message) pieces.push(piece)
  return Buffer.concat(pieces)
}

function ask(
  { method, path, headers, body }: Exchange,
  upstream: URL,
  agent: HttpAgent,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = upstream.protocol === 'https:' ? requestHttps : requestHttp
    const { hostname, port } = upstream
    const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)))
    const length =
      body === '' && method === 'GET' ? {} : { 'content-length': Buffer.byteLength(body) }
    const call = request({ agent, hostname, port, method, path, headers: { ...kept, ...length } })
    call.once('error', reject)
    call.once('response', (response) => {
      const { statusCode: status = 502, rawHeaders } = response
      const own = rawHeaders.flatMap((name, index) =>
        index % 2 === 0 && !hopByHop.has(name.toLowerCase())
          ? [name, rawHeaders[index + 1] ?? '']
          : [],
      )
      bytes(response).then(
        (received) => resolve({ status, rawHeaders: own, body: received }),
        reject,
      )
    })
    call.end(body)
  })
}
