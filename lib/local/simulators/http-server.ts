import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TlsOptions } from 'node:tls'

/** Room for an attachment; more is answered 413. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024
const TRICKLE_PIECES = 10

/** A request, read to its end. */
export interface Request {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** The connection: some vendors authenticate it, or the certificate shown on it. */
  readonly socket: Socket
}

/** An answer; at most one of `json` and `body`. */
export interface Reply {
  readonly status: number
  readonly json?: unknown
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** How it leaves, when not whole and at once. */
  readonly delivery?: Delivery
}

export type Delivery =
  | { readonly kind: 'drop' }
  | { readonly kind: 'truncate' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'trickle'; readonly ms: number }
  /** In chunks, without a Content-Length. */
  | { readonly kind: 'chunked' }

/** The TLS of a server. */
export interface Listener {
  readonly tls: TlsOptions
  /**
   * Looks at every new connection before its handshake: what TLS is different for this one, and what
   * stands between the two ends.
   */
  readonly admit?: (socket: Socket) => { readonly tls?: TlsOptions; readonly stream?: Duplex }
}

export interface HttpServer {
  /** Origin, e.g. `https://127.0.0.1:8443`. */
  readonly url: string
  /** Shows another certificate to those who connect from now on. */
  show(tls: TlsOptions): void
  close(): Promise<void>
}

/**
 * Serves on 127.0.0.1 only. Idle connections stay open until the client ends them: one vendor binds
 * its login to the connection.
 *
 * @throws {Error} the port is taken
 */
export async function serve(
  port: number,
  secure: Listener | undefined,
  answer: (request: Request) => Promise<Reply>,
): Promise<HttpServer> {
  const timers = new Set<NodeJS.Timeout>()
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        timers.delete(timer)
        resolve()
      }, ms)
      timers.add(timer)
    })
  const listener = (message: IncomingMessage, response: ServerResponse): void => {
    read(message).then(
      (request) => exchange(request, response),
      // The client went away in mid-request: nothing was asked.
      () => message.socket.destroy(),
    )
  }
  const exchange = async (
    request: Request | undefined,
    response: ServerResponse,
  ): Promise<void> => {
    try {
      await send(response, request === undefined ? tooLarge : await answer(request), wait)
    } catch (error) {
      // Our own defect. Its message could quote a body, and bodies hold tokens; its place cannot.
      const place =
        error instanceof Error ? error.stack?.split('\n').find((line) => / at /.test(line)) : ''
      process.stderr.write(`simulator failed${place}\n`)
      response.destroy()
    }
  }
  const makeServer = (tls: TlsOptions | undefined) => {
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
    server.keepAliveTimeout = 0
    return server
  }
  const server = makeServer(secure?.tls)
  const sockets = new Set<Socket>()
  const { admit } = secure ?? {}
  // A server that does not listen takes any connection that it is handed.
  const front =
    admit === undefined
      ? server
      : createNetServer((socket) => {
          sockets.add(socket)
          socket.once('close', () => sockets.delete(socket))
          const { tls, stream = socket } = admit(socket)
          const differing = tls === undefined ? server : makeServer({ ...secure?.tls, ...tls })
          differing.emit('connection', stream)
        })
  await new Promise<void>((resolve, reject) => {
    front.once('error', reject)
    front.listen(port, '127.0.0.1', () => resolve())
  })
  const { port: bound } = front.address() as AddressInfo
  return {
    url: `${secure === undefined ? 'http' : 'https'}://127.0.0.1:${bound}`,
    show(other) {
      if ('setSecureContext' in server) server.setSecureContext(other)
    },
    async close() {
      for (const timer of timers) clearTimeout(timer)
      const closed = new Promise<void>((resolve) => front.close(() => resolve()))
      server.closeAllConnections()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** The body as JSON, whatever the Content-Type says: clients in the field label JSON as a form. */
export function parseJson(request: Request): unknown {
  try {
    return JSON.parse(request.body.toString('utf8'))
  } catch {
    return undefined
  }
}

/** The token of `Authorization: Bearer <token>`; the scheme in any case (RFC 9110, section 11.1). */
export function bearer(request: Request): string | undefined {
  return /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
}

const tooLarge: Reply = {
  status: 413,
  body: 'request body too large\n',
  headers: { connection: 'close' },
}

/** @returns undefined for a body over the limit, of which nothing is kept */
function read(message: IncomingMessage): Promise<Request | undefined> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    let size = 0
    message.on('error', reject)
    message.on('data', (piece: Buffer) => {
      size += piece.length
      if (size <= BODY_LIMIT_BYTES) pieces.push(piece)
      else resolve(undefined)
    })
    message.on('end', () => resolve(request(message, Buffer.concat(pieces))))
  })
}

function request(message: IncomingMessage, body: Buffer): Request {
  // Not by `new URL`, which throws on targets such as `//`.
  const [path = '', ...rest] = (message.url ?? '/').split('?')
  return {
    method: message.method ?? 'GET',
    path,
    query: new URLSearchParams(rest.join('?')),
    headers: message.headers,
    body,
    socket: message.socket,
  }
}

async function send(
  response: ServerResponse,
  reply: Reply,
  wait: (ms: number) => Promise<void>,
): Promise<void> {
  const { status, delivery } = reply
  if (delivery?.kind === 'drop') {
    response.socket?.destroy()
    return
  }
  if (delivery?.kind === 'delay') await wait(delivery.ms)
  const body = Buffer.from(
    reply.json === undefined ? (reply.body ?? '') : JSON.stringify(reply.json),
  )
  response.writeHead(status, {
    ...(reply.json === undefined ? {} : { 'content-type': 'application/json' }),
    ...reply.headers,
    // RFC 9110, section 8.6: none with 204.
    ...(status === 204 || delivery?.kind === 'chunked'
      ? {}
      : { 'content-length': String(body.length) }),
  })
  if (delivery?.kind === 'chunked') {
    response.write(body.subarray(0, body.length >> 1))
    response.end(body.subarray(body.length >> 1))
    return
  }
  if (delivery?.kind === 'truncate') {
    // Headers and half a body leave together, so that the client is surely left in mid-body.
    response.write(body.subarray(0, body.length >> 1), () => response.socket?.destroy())
    return
  }
  if (delivery?.kind === 'trickle') {
    const size = Math.max(1, Math.ceil(body.length / TRICKLE_PIECES))
    for (let start = 0; start < body.length; start += size) {
      response.write(body.subarray(start, start + size))
      await wait(delivery.ms / TRICKLE_PIECES)
    }
    response.end()
    return
  }
  response.end(body)
}
