import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { marshall } from '@aws-sdk/util-dynamodb'
import { expect, onTestFinished, test } from 'vitest'
import { ledgerTable } from '../../lib/aws/ledger-table.ts'
import { clientSettings } from '../../lib/aws/store-error.ts'
import { fullItem } from '../core/store-contract.ts'
import { connect } from '../local/aws/setup.ts'
import { portsOnEndpoint } from './ports-on-endpoint.ts'

/** The ledger with the client that the functions use, which tries twice. */
async function shipped() {
  const ports = await portsOnEndpoint()
  const client = new DynamoDBClient({
    ...clientSettings,
    endpoint: ports.endpoint.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  onTestFinished(() => client.destroy())
  return { ...ports, ledger: ledgerTable(client, 'ledger') }
}

test('a write whose acknowledgement is lost is known as one’s own by the client’s second try', async () => {
  const { endpoint, ledger } = await shipped()
  endpoint.inject({ operation: 'PutItem', kind: 'lost-ack' })
  expect(await ledger.write(fullItem)).toBe('written')
  expect(endpoint.calls()).toMatchObject({ PutItem: 2 })
  expect(await ledger.read('cisco-ftd', 'ftd-hq')).toEqual(fullItem)
})

test('a write that never arrived and was overtaken is a conflict', async () => {
  const { endpoint, ledger } = await shipped()
  await ledger.write({ ...fullItem, writer: 'another-run' })
  endpoint.inject({ operation: 'PutItem', kind: 'drop-before' })
  expect(await ledger.write(fullItem)).toBe('conflict')
})

test('an item that somebody has edited names the field and not its value', async () => {
  const { dynamo, ledger } = await portsOnEndpoint()
  const Item = marshall({ vendor: 'cisco-ftd', connection: 'ftd-hq', revision: 'canary-value' })
  await dynamo.send(new PutItemCommand({ TableName: 'ledger', Item }))
  const read = ledger.read('cisco-ftd', 'ftd-hq')
  await expect(read).rejects.toMatchObject({ code: 'ERR_STORE', kind: 'denied' })
  await expect(read).rejects.toThrow(/wrong shape at revision; delete the item/)
  await expect(read).rejects.not.toThrow(/canary/)
})

test('what is due is listed to its end, a page at a time, and read as it stands', async () => {
  const key = (connection: string) => ({
    ...{ vendor: { S: 'cisco-ftd' }, connection: { S: connection } },
    dueAt: { S: '2026-01-01T00:00:00.000Z' },
  })
  const asked: Record<string, unknown>[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += String(chunk)
    })
    request.on('end', () => {
      const query = JSON.parse(text) as Record<string, unknown>
      asked.push(query)
      const page =
        query.ExclusiveStartKey === undefined
          ? { Items: [key('ftd-1')], LastEvaluatedKey: key('ftd-1') }
          : { Items: [key('ftd-2')] }
      response.setHeader('content-type', 'application/x-amz-json-1.0').end(JSON.stringify(page))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const dues = await ledgerTable(connect({ url }, DynamoDBClient), 'ledger').dues('cisco-ftd')
  expect(dues.map(({ connection }) => connection)).toEqual(['ftd-1', 'ftd-2'])
  expect(asked).toMatchObject([
    { IndexName: 'due', ConsistentRead: true },
    { IndexName: 'due', ConsistentRead: true, ExclusiveStartKey: key('ftd-1') },
  ])
})

test('a table that is not there, in this region or at all, is told by its name', async () => {
  const { endpoint } = await shipped()
  const ledger = ledgerTable(connect(endpoint, DynamoDBClient), 'nowhere')
  const untold = { code: 'ERR_STORE', kind: 'denied' }
  const message =
    'there is no table nowhere in this account and region; deploy the stack, or name another region or table'
  await expect(ledger.read('cisco-ftd', 'ftd-hq')).rejects.toMatchObject({ ...untold, message })
  await expect(ledger.write(fullItem)).rejects.toMatchObject({ ...untold, message })
  await expect(ledger.dues('cisco-ftd')).rejects.toMatchObject({ ...untold, message })
})
