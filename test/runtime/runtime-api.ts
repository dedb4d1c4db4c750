import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** One piece of work for a function. */
export interface Work {
  readonly requestId: string
  readonly event: unknown
  readonly deadline: Date
}

/** What a runtime tells the API, in the order in which it may come. */
export type Told =
  /** It is ready for work: initialised, or done with what it had. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'init-error'; readonly error: unknown }
  | { readonly kind: 'response'; readonly requestId: string; readonly value: unknown }
  | { readonly kind: 'error'; readonly requestId: string; readonly error: unknown }

export interface RuntimeApi {
  /** Host and port, as in AWS_LAMBDA_RUNTIME_API. */
  readonly address: string
  /** Answers the runtime that waits for work. */
  readonly give: (work: Work) => void
  readonly close: () => Promise<void>
}

const prefix = '/2018-06-01/runtime/'
const invocation = /^invocation\/([^/]+)\/(response|error)$/

/**
 * Lambda's Runtime API for one execution environment, on loopback.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export async function startRuntimeApi(tell: (told: Told) => void): Promise<RuntimeApi> {
  let waiting: ServerResponse | undefined

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace(prefix, '')
    if (request.method === 'GET' && path === 'invocation/next') {
      waiting = response
      tell({ kind: 'ready' })
      return
    }
    const body: unknown = JSON.parse((await text(request)) || 'null')
    const [, requestId, kind] = invocation.exec(path) ?? []
    response.writeHead(path === 'init/error' || kind !== undefined ? 202 : 404)
    response.end('{"status":"OK"}')
    if (path === 'init/error') tell({ kind: 'init-error', error: body })
    if (requestId === undefined) return
    tell(
      kind === 'response'
        ? { kind, requestId, value: body }
        : { kind: 'error', requestId, error: body },
    )
  }

  const server = createServer((request, response) => void serve(request, response))
  // The client's connection waits as long as the function is not invoked.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    give({ requestId, event, deadline }) {
      waiting?.writeHead(200, {
        'content-type': 'application/json',
        'lambda-runtime-aws-request-id': requestId,
        'lambda-runtime-deadline-ms': String(deadline.getTime()),
        'lambda-runtime-invoked-function-arn':
          'arn:aws:lambda:us-east-1:123456789012:function:token-rotator',
        'lambda-runtime-trace-id': 'Root=1-00000000-000000000000000000000000;Sampled=0',
      })
      waiting?.end(JSON.stringify(event))
      waiting = undefined
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
