import { DynamoDB } from '@aws-sdk/client-dynamodb'
import { describe, expect, test } from 'vitest'
import { connect, setUp } from './setup.ts'

const TableName = 'ledger'

async function setUpTable() {
  const world = await setUp()
  const tables = connect(world.endpoint, DynamoDB)
  await tables.createTable({
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'id', AttributeType: 'S' },
      { AttributeName: 'dueAt', AttributeType: 'S' },
    ],
    KeySchema: [
      { AttributeName: 'id', KeyType: 'HASH' },
      { AttributeName: 'dueAt', KeyType: 'RANGE' },
    ],
  })
  return { ...world, tables }
}

describe('DynamoDB on the same port', () => {
  test('keeps items and finds them by a key condition', async () => {
    const { tables } = await setUpTable()
    for (const dueAt of ['1', '2', '3']) {
      await tables.putItem({ TableName, Item: { id: { S: 'a' }, dueAt: { S: dueAt } } })
    }
    const found = await tables.query({
      TableName,
      ConsistentRead: true,
      KeyConditionExpression: 'id = :id AND dueAt <= :now',
      ExpressionAttributeValues: { ':id': { S: 'a' }, ':now': { S: '2' } },
    })
    expect(found.Items?.map(({ dueAt }) => dueAt?.S)).toEqual(['1', '2'])
  })

  test('lets one of many racing conditional writes win', async () => {
    const { tables } = await setUpTable()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        tables.putItem({
          TableName,
          Item: { id: { S: 'a' }, dueAt: { S: '1' } },
          ConditionExpression: 'attribute_not_exists(id)',
        }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(outcomes.find((outcome) => outcome.status === 'rejected')).toMatchObject({
      reason: { name: 'ConditionalCheckFailedException' },
    })
  })

  test('has a table ready, or gone, when it has answered', async () => {
    const { tables } = await setUpTable()
    expect((await tables.describeTable({ TableName })).Table?.TableStatus).toBe('ACTIVE')
    await tables.deleteTable({ TableName })
    expect((await tables.listTables({})).TableNames).toEqual([])
  })

  test('needs no signature', async () => {
    const { raw } = await setUpTable()
    const answer = await raw(
      'DynamoDB_20120810.ListTables',
      {},
      { 'content-type': 'application/x-amz-json-1.0' },
    )
    expect(await answer.json()).toEqual({ TableNames: [TableName] })
    expect(answer.headers.get('x-amz-crc32')).toMatch(/^\d+$/)
  })

  test('suffers faults as the others do', async () => {
    const { tables, endpoint } = await setUpTable()
    const write = (dueAt: string) =>
      tables.putItem({ TableName, Item: { id: { S: 'a' }, dueAt: { S: dueAt } } })
    endpoint.inject({ operation: 'PutItem', kind: 'lost-ack' })
    await expect(write('1')).rejects.toThrow()
    endpoint.inject({ operation: 'PutItem', kind: 'internal-error' })
    await expect(write('2')).rejects.toMatchObject({ name: 'InternalServerError' })
    const { Items } = await tables.scan({ TableName })
    expect(Items?.map(({ dueAt }) => dueAt?.S)).toEqual(['1'])
  })
})
