import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { SSMClient } from '@aws-sdk/client-ssm'

/**
 * What an AWS call counts against, as AWS counts it: Secrets Manager takes its writes together.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
 */
export type Quota = 'secret-writes' | 'secret-reads' | 'parameters' | 'ledger' | 'events'

const quotas: Readonly<Record<string, Quota>> = {
  PutSecretValueCommand: 'secret-writes',
  UpdateSecretVersionStageCommand: 'secret-writes',
  GetSecretValueCommand: 'secret-reads',
  DescribeSecretCommand: 'secret-reads',
  GetParameterCommand: 'parameters',
  PutParameterCommand: 'parameters',
  DeleteParameterCommand: 'parameters',
  GetItemCommand: 'ledger',
  PutItemCommand: 'ledger',
  QueryCommand: 'ledger',
  PutEventsCommand: 'events',
}

type Client = DynamoDBClient | EventBridgeClient | SecretsManagerClient | SSMClient

/** Counts requests to AWS, repetitions included, since it was last asked. */
export interface CallCount {
  readonly watch: (client: Client) => void
  /** What has been counted since the last time, by quota; none is left out. */
  readonly take: () => Readonly<Partial<Record<Quota, number>>>
}

export function callCount(): CallCount {
  let counted: Partial<Record<Quota, number>> = {}
  return {
    watch(client) {
      // Next to the wire: the SDK's own second tries count against the quota as well.
      const options = { step: 'deserialize', name: 'callCount', priority: 'low' } as const
      const stack = client.middlewareStack as DynamoDBClient['middlewareStack']
      stack.add(
        (next, { commandName = '' }) =>
          async (request) => {
            const quota = quotas[commandName]
            if (quota !== undefined) counted[quota] = (counted[quota] ?? 0) + 1
            return next(request)
          },
        options,
      )
    },
    take() {
      const taken = counted
      counted = {}
      return taken
    },
  }
}
