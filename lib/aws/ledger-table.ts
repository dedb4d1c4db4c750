import {
  type AttributeValue,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb'
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb'
import { dueIndex } from '../core/documents.ts'
import { StoreError } from '../core/errors.ts'
import type { LedgerItem } from '../core/ledger.ts'
import { decodeLedgerItem, encodeLedgerItem } from '../core/ledger-document.ts'
import type { Ledger } from '../core/ports.ts'
import { type Limit, nameOf, storeCall } from './store-error.ts'

/**
 * The ledger on a DynamoDB table: partition key `vendor`, sort key `connection`, local index `due`
 * on `dueAt`. Every write names the revision it follows, so of two writers one is told.
 */
export function ledgerTable(client: DynamoDBClient, tableName: string): Ledger {
  const call = <T>(name: string, run: (limit: Limit) => Promise<T>) =>
    storeCall(name, async (limit) => {
      try {
        return await run(limit)
      } catch (error) {
        if (nameOf(error) !== 'ResourceNotFoundException') throw error
        throw new StoreError(
          `there is no table ${tableName} in this account and region; deploy the stack, or name another region or table`,
          'denied',
        )
      }
    })

  const read = (vendor: string, connection: string) =>
    call('GetItem', async (limit) => {
      const { Item } = await client.send(
        new GetItemCommand({
          TableName: tableName,
          Key: marshall({ vendor, connection }),
          ConsistentRead: true,
        }),
        limit,
      )
      return Item === undefined ? undefined : decodeLedgerItem(unmarshall(Item))
    })

  return {
    read,
    write: (item) =>
      call('PutItem', async (limit) => {
        try {
          await client.send(
            new PutItemCommand({
              TableName: tableName,
              Item: marshall(encodeLedgerItem(item)),
              ...follows(item),
            }),
            limit,
          )
          return 'written'
        } catch (error) {
          if (nameOf(error) !== 'ConditionalCheckFailedException') throw error
          // The first try may have been written and its answer lost: then this revision is ours.
          const stored = await read(item.vendor, item.connection)
          const isOurs = stored?.revision === item.revision && stored.writer === item.writer
          return isOurs ? 'written' : 'conflict'
        }
      }),
    dues: (vendor) =>
      call('Query', async (limit) => {
        const found: { connection: string; dueAt: Date }[] = []
        let start: Record<string, AttributeValue> | undefined
        do {
          const page = await client.send(
            new QueryCommand({
              TableName: tableName,
              IndexName: dueIndex,
              ConsistentRead: true,
              KeyConditionExpression: 'vendor = :vendor',
              ExpressionAttributeValues: { ':vendor': { S: vendor } },
              ...(start === undefined ? {} : { ExclusiveStartKey: start }),
            }),
            limit,
          )
          for (const { connection, dueAt } of page.Items ?? []) {
            if (connection?.S !== undefined && dueAt?.S !== undefined) {
              found.push({ connection: connection.S, dueAt: new Date(dueAt.S) })
            }
          }
          start = page.LastEvaluatedKey
        } while (start !== undefined)
        return found
      }),
  }
}

function follows({ revision }: LedgerItem) {
  if (revision === 1) return { ConditionExpression: 'attribute_not_exists(revision)' }
  return {
    ConditionExpression: 'revision = :before',
    ExpressionAttributeValues: { ':before': { N: String(revision - 1) } },
  }
}
