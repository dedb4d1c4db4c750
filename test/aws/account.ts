import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { onTestFinished, vi } from 'vitest'
import { parameterStore } from '../../lib/aws/parameter-store.ts'
import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import { createLedgerTable } from '../../lib/local/account.ts'
import { type AwsEndpointOptions, startAwsEndpoint } from '../../lib/local/aws/endpoint.ts'
import { connect } from '../local/aws/setup.ts'

/** A connection as configured, and what is enrolled for it. */
export interface Deployed {
  readonly configuration: { readonly id: string; readonly vendor: string }
  readonly enroll?: Readonly<Record<string, unknown>>
}

/**
 * An account of the test's own, with the stack deployed: secrets, ledger table, and this process's
 * environment as a function's, pointed at an embedded endpoint. All of it is gone with the test.
 */
export async function account(deployed: readonly Deployed[], options: AwsEndpointOptions = {}) {
  const endpoint = await startAwsEndpoint({ port: 0, ...options })
  onTestFinished(() => endpoint.close())
  const folder = await mkdtemp(join(tmpdir(), 'token-rotator-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const connections = join(folder, 'connections.json')
  await writeFile(connections, JSON.stringify(deployed.map(({ configuration }) => configuration)))
  enter({
    AWS_ENDPOINT_URL: endpoint.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    TOKEN_ROTATOR_LEDGER_TABLE: 'token-rotator-ledger',
    TOKEN_ROTATOR_CONNECTIONS: connections,
  })

  const secrets = connect(endpoint, SecretsManager)
  const dynamo = connect(endpoint, DynamoDBClient)
  await createLedgerTable(dynamo, 'token-rotator-ledger')
  for (const { configuration, enroll } of deployed) {
    await secrets.createSecret({ Name: consumerSecretId(configuration.id) })
    await secrets.createSecret({ Name: enrollmentSecretId(configuration.id) })
    if (enroll !== undefined) {
      const SecretId = enrollmentSecretId(configuration.id)
      await secrets.putSecretValue({ SecretId, SecretString: JSON.stringify(enroll) })
    }
  }

  /** Every version of a secret that is still there. */
  const versions = async (SecretId: string): Promise<string[]> => {
    const { Versions } = await secrets.listSecretVersionIds({ SecretId, IncludeDeprecated: true })
    const found = await Promise.all(
      (Versions ?? []).flatMap(({ VersionId }) =>
        VersionId === undefined ? [] : [secrets.getSecretValue({ SecretId, VersionId })],
      ),
    )
    return found.map(({ SecretString }) => SecretString ?? '')
  }
  return {
    endpoint,
    connections,
    versions,
    secrets,
    parameters: parameterStore(connect(endpoint, SSMClient)),
    current: async (SecretId: string): Promise<Record<string, unknown>> =>
      JSON.parse((await secrets.getSecretValue({ SecretId })).SecretString ?? ''),
    /** Everything in the ledger table. */
    ledger: async () => {
      const { Items } = await dynamo.send(new ScanCommand({ TableName: 'token-rotator-ledger' }))
      return (Items ?? []).map((item) => unmarshall(item))
    },
  }
}

/** Sets this process's environment until the test ends; nothing of AWS that stood there stays. */
function enter(environment: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) {
    if (/^(AWS_(?!SDK_JS_)|POWERTOOLS_|TOKEN_ROTATOR_)/.test(name)) vi.stubEnv(name, undefined)
  }
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  onTestFinished(() => void vi.unstubAllEnvs())
}

/** Whatever this process prints until the test ends. */
export function captured(): { text: string } {
  const printed = { text: '' }
  const write = (chunk: unknown) => {
    printed.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString()
    return true
  }
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation(write),
  )
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore()
  })
  return printed
}

/** Lambda's context, with the function's whole five minutes left. */
export const context = { getRemainingTimeInMillis: () => 300_000 }
