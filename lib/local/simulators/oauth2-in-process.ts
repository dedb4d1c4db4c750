import { createServer, request as httpRequest, type RequestListener } from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'
import type { Reply, Request } from './http-server.ts'

/** An HTTP application without a port of its own. */
export interface InProcess {
  /** Hands it a request that arrived elsewhere. */
  readonly answer: (request: Request) => Promise<Reply>
}

// Set anew where the answer leaves.
const hopByHop = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
])

/**
 * Runs an application that speaks `node:http` inside this process, each request over a pair of streams.
 *
 * @param application sees the streams as sockets; `original` gives the real one that a stream stands for
 */
export function inProcess(
  application: (original: (stream: unknown) => unknown) => RequestListener,
): InProcess {
  const originals = new WeakMap<object, unknown>()
  const server = createServer(application((stream) => originals.get(stream as object)))
  return {
    answer: (request) =>
      new Promise((resolve, reject) => {
        const [near, far]: [Duplex, Duplex] = duplexPair()
        originals.set(far, request.socket)
        server.emit('connection', far)
        const query = request.query.toString()
        const call = httpRequest({
          createConnection: () => near,
          method: request.method,
          path: `${request.path}${query === '' ? '' : `?${query}`}`,
          headers: { ...request.headers, connection: 'close' },
        })
        call.once('error', reject)
        call.once('response', (response) => {
          const pieces: Buffer[] = []
          response.on('data', (piece: Buffer) => pieces.push(piece))
          response.once('error', reject)
          response.once('end', () => {
            const body = Buffer.concat(pieces)
            resolve(reply(response.statusCode ?? 500, response.headers, body))
          })
        })
        call.end(request.body)
      }),
  }
}

function reply(
  status: number,
  received: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
): Reply {
  const headers = Object.fromEntries(
    Object.entries(received).flatMap(([name, value]) =>
      value === undefined || hopByHop.has(name) ? [] : [[name, [value].flat().join(', ')]],
    ),
  )
  const isJson = headers['content-type']?.startsWith('application/json') === true
  return isJson
    ? { status, headers, json: JSON.parse(body.toString('utf8')) }
    : { status, headers, body }
}
