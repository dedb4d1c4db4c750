import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import { eventBridgeSink } from '../../lib/aws/event-bridge.ts'
import { ledgerTable } from '../../lib/aws/ledger-table.ts'
import { parameterStore } from '../../lib/aws/parameter-store.ts'
import { secretsManagerStore } from '../../lib/aws/secrets-manager.ts'
import { createLedgerTable } from '../../lib/local/account.ts'
import { connect, setUp } from '../local/aws/setup.ts'

/** The adapters on an embedded endpoint of the test's own, each with a client that never retries. */
export async function portsOnEndpoint(secretIds: readonly string[] = []) {
  const { endpoint, secrets } = await setUp()
  for (const Name of secretIds) await secrets.createSecret({ Name })
  const dynamo = connect(endpoint, DynamoDBClient)
  await createLedgerTable(dynamo, 'ledger')
  return {
    endpoint,
    dynamo,
    sdk: secrets,
    secrets: secretsManagerStore(connect(endpoint, SecretsManagerClient)),
    ledger: ledgerTable(dynamo, 'ledger'),
    parameters: parameterStore(connect(endpoint, SSMClient)),
    events: eventBridgeSink(connect(endpoint, EventBridgeClient), 'default'),
  }
}
