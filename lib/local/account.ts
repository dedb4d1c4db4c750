import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { devNull, tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { nameOf } from '../aws/store-error.ts'
import {
  consumerSecretId,
  dueIndex,
  enrollmentSecretId,
  ledgerTableName,
} from '../core/documents.ts'

/**
 * Turns this process's environment into that of a deployed function, pointed at the embedded
 * endpoint. Everything of AWS that stood there before is put aside: a profile or an endpoint of the
 * person's own must never be reached from local mode.
 */
export function enterLocalAccount(endpointUrl: string): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_') && !name.startsWith('AWS_SDK_JS_')) delete process.env[name]
  }
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpointUrl,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
    TOKEN_ROTATOR_LEDGER_TABLE: ledgerTableName,
    // The functions' own log lines and metrics would drown the table.
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
  })
}

/** What `cdk deploy` would make: the ledger table, and two empty secrets per connection. */
export async function deployLocally(connections: readonly { id: string }[]): Promise<void> {
  const tables = new DynamoDBClient({})
  await createLedgerTable(tables, ledgerTableName).catch(unlessItExists('ResourceInUseException'))
  tables.destroy()
  const secrets = new SecretsManagerClient({})
  for (const { id } of connections) {
    for (const Name of [enrollmentSecretId(id), consumerSecretId(id)]) {
      await secrets
        .send(new CreateSecretCommand({ Name }))
        .catch(unlessItExists('ResourceExistsException'))
    }
  }
  secrets.destroy()
}

/** ARN of a vendor's function in the local account. */
export function functionArn(vendor: string): string {
  return `arn:aws:lambda:us-east-1:123456789012:function:token-rotator-${vendor}`
}

/**
 * Native rotation of every consumer secret, as `cdk deploy` would configure it. The endpoint must have
 * been given the functions; it tries the test step of each.
 */
export async function configureRotation(
  connections: readonly { id: string; vendor: string }[],
): Promise<void> {
  const secrets = new SecretsManagerClient({})
  for (const { id, vendor } of connections) {
    const SecretId = consumerSecretId(id)
    const { RotationLambdaARN } = await secrets.send(new DescribeSecretCommand({ SecretId }))
    if (RotationLambdaARN !== undefined) continue
    await secrets.send(
      new RotateSecretCommand({
        SecretId,
        RotationLambdaARN: functionArn(vendor),
        RotationRules: { AutomaticallyAfterDays: 30 },
        RotateImmediately: false,
      }),
    )
  }
  secrets.destroy()
}

/** The ledger table as the stack makes it. */
export async function createLedgerTable(client: DynamoDBClient, TableName: string): Promise<void> {
  const command = new CreateTableCommand({
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['vendor', 'connection', 'dueAt'].map((AttributeName) => ({
      AttributeName,
      AttributeType: 'S' as const,
    })),
    KeySchema: [
      { AttributeName: 'vendor', KeyType: 'HASH' },
      { AttributeName: 'connection', KeyType: 'RANGE' },
    ],
    LocalSecondaryIndexes: [
      {
        IndexName: dueIndex,
        KeySchema: [
          { AttributeName: 'vendor', KeyType: 'HASH' },
          { AttributeName: 'dueAt', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  })
  await client.send(command)
}

function unlessItExists(name: string) {
  return (error: unknown) => {
    if (nameOf(error) !== name) throw error
  }
}

/** Puts the connections where a function would find them. @returns how to take them away again */
export async function provideConnections(
  connections: readonly unknown[],
): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'token-rotator-'))
  const path = join(folder, 'connections.json')
  await writeFile(path, JSON.stringify(connections))
  process.env.TOKEN_ROTATOR_CONNECTIONS = path
  return () => rm(folder, { recursive: true, force: true })
}
