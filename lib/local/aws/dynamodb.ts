import type { Server } from 'node:http'
import { Readable } from 'node:stream'
import dynalite from 'dynalite'
import type { Answer } from './wire.ts'

export interface Dynamo {
  /**
   * dynalite's own server, without its request listener. The endpoint listens on it: closing it
   * is the only way to close dynalite's database.
   */
  readonly server: Server
  readonly answer: (target: string, contentType: string, body: Buffer) => Promise<Answer>
}

/** dynalite refuses requests that carry no signature, and does not check those that do. */
const anySignature = 'AWS4-HMAC-SHA256 Credential=local, SignedHeaders=host, Signature=local'

/**
 * DynamoDB, played by dynalite. Against the real service it knows no transactions, gives no item
 * back when a condition fails, and names `us-east-1` in ARNs unless AWS_REGION says otherwise.
 *
 * @param path folder of its LevelDB files; in memory if undefined
 */
export function createDynamo(path: string | undefined): Dynamo {
  const server = dynalite({
    ...(path === undefined ? {} : { path }),
    createTableMs: 0,
    deleteTableMs: 0,
    updateTableMs: 0,
  })
  const [handle] = server.listeners('request')
  if (handle === undefined) throw new Error('dynalite has no request listener')
  server.removeAllListeners('request')

  return {
    server,
    answer: (target, contentType, body) =>
      new Promise((resolve) => {
        const headers: Record<string, string> = {}
        const request = Object.assign(Readable.from([body]), {
          method: 'POST',
          url: '/',
          headers: {
            'content-type': contentType,
            'x-amz-target': target,
            'x-amz-date': '20260101T000000Z',
            authorization: anySignature,
          },
        })
        const response = {
          statusCode: 200,
          setHeader(name: string, value: string | number) {
            headers[name] = String(value)
          },
          end(text: string) {
            resolve({ status: response.statusCode, headers, body: text })
          },
        }
        Reflect.apply(handle, server, [request, response])
      }),
  }
}
