import { type AttributeValue, type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { isRotatorError } from '../core/errors.ts'
import type { LedgerItem } from '../core/ledger.ts'
import { decodeLedgerItem } from '../core/ledger-document.ts'
import { storeCall } from './store-error.ts'

/** Reads every item of a vendor, due or not, for the metrics. An item of the wrong shape is left out. */
export type LedgerSurvey = (vendor: string) => Promise<readonly LedgerItem[]>

/**
 * A vendor's whole partition of the ledger table. The index that a tick asks holds keys only; this
 * reads the items themselves, at one read unit for each 4 KB of all of them together.
 */
export function ledgerSurvey(client: DynamoDBClient, tableName: string): LedgerSurvey {
  return (vendor) =>
    storeCall('Query', async (limit) => {
      const found: LedgerItem[] = []
      let start: Record<string, AttributeValue> | undefined
      do {
        const page = await client.send(
          new QueryCommand({
            TableName: tableName,
            ConsistentRead: true,
            KeyConditionExpression: 'vendor = :vendor',
            ExpressionAttributeValues: { ':vendor': { S: vendor } },
            ...(start === undefined ? {} : { ExclusiveStartKey: start }),
          }),
          limit,
        )
        found.push(...(page.Items ?? []).flatMap(readable))
        start = page.LastEvaluatedKey
      } while (start !== undefined)
      return found
    })
}

function readable(item: Record<string, AttributeValue>): LedgerItem[] {
  try {
    return [decodeLedgerItem(unmarshall(item))]
  } catch (error) {
    // Whoever rotates this connection says what is wrong with its item; the others are still measured.
    if (isRotatorError(error)) return []
    throw error
  }
}
