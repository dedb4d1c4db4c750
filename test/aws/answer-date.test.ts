import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { expect, onTestFinished, test } from 'vitest'
import { setByAnswers } from '../../lib/aws/answer-date.ts'
import { setClock } from '../../lib/core/clock.ts'

/** A table that answers with this status and this `Date`. */
async function table(status: number, date: string | undefined) {
  const server = createServer((request, response) => {
    request.resume()
    response.sendDate = false
    response.writeHead(status, {
      'content-type': 'application/x-amz-json-1.0',
      ...(date === undefined ? {} : { date }),
    })
    response.end(status === 200 ? '{}' : '{"__type":"ValidationException"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return new DynamoDBClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'made-up', secretAccessKey: 'made-up' },
    maxAttempts: 1,
  })
}

const hour = 3_600_000

async function setBy(status: number, date: string | undefined): Promise<number> {
  const clock = setClock({ now: () => new Date(), sleep: async () => {} })
  const client = await table(status, date)
  setByAnswers(clock, client)
  const key = { vendor: { S: 'v' }, connection: { S: 'c' } }
  await client.send(new GetItemCommand({ TableName: 't', Key: key })).catch(() => undefined)
  return clock.now().getTime() - Date.now()
}

test.each([200, 400])('an answer with status %d sets the clock by its date', async (status) => {
  const ahead = await setBy(status, new Date(Date.now() + hour).toUTCString())
  expect(Math.round(ahead / hour)).toBe(1)
})

test.each([undefined, 'yesterday'])('a date of %s sets nothing', async (date) => {
  expect(Math.abs(await setBy(200, date))).toBeLessThan(1000)
})
