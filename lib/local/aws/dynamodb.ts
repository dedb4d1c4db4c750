import type { Server } from 'node:http'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import dynalite from 'dynalite'
import * as v from 'valibot'
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
  const handle = listenerOf(server)
  server.removeAllListeners('request')

  function ask(target: string, contentType: string, body: Buffer): Promise<Answer> {
    return new Promise((resolve) => {
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
    })
  }

  /**
   * Waits until a table is no longer being made, changed or deleted. A process that is killed before
   * would leave it in that state for ever, as dynalite does not take the work up again.
   */
  async function settled(table: string): Promise<void> {
    const body = Buffer.from(JSON.stringify({ TableName: table }))
    for (;;) {
      const described = await ask(
        'DynamoDB_20120810.DescribeTable',
        'application/x-amz-json-1.0',
        body,
      )
      if (described.status !== 200 || /"TableStatus":"ACTIVE"/.test(described.body)) return
      await nextTurn()
    }
  }

  return {
    server,
    async answer(target, contentType, body) {
      const answered = await ask(target, contentType, body)
      if (answered.status === 200 && /\.(Create|Update|Delete)Table$/.test(target)) {
        const { TableName } = v.parse(TableAnswer, JSON.parse(answered.body)).TableDescription
        await settled(TableName)
      }
      return answered
    },
  }
}

function listenerOf(server: Server) {
  const [listener] = server.listeners('request')
  if (listener === undefined) throw new Error('dynalite has no request listener')
  return listener
}

const TableAnswer = v.object({ TableDescription: v.object({ TableName: v.string() }) })
