import { DynamoDB } from '@aws-sdk/client-dynamodb'
import { EventBridge } from '@aws-sdk/client-eventbridge'
import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import { SSM } from '@aws-sdk/client-ssm'
import { onTestFinished } from 'vitest'
import {
  type AwsEndpoint,
  type AwsEndpointOptions,
  startAwsEndpoint,
} from '../../../lib/local/aws/endpoint.ts'

/** The instant at which every test begins. */
export const start = new Date('2026-01-01T00:00:00Z')

/** Version ids: `id(1)` is `00000000-0000-4000-8000-000000000001`. */
export const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

export function clientsOf({ url }: AwsEndpoint) {
  const config = {
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    // A fault that is injected once must reach the test, not the client's retry.
    maxAttempts: 1,
  }
  return {
    secrets: new SecretsManager(config),
    parameters: new SSM(config),
    eventBus: new EventBridge(config),
    tables: new DynamoDB(config),
  }
}

/** An endpoint of the test's own, AWS's clients for it, and a clock that the test moves. */
export async function setUp(options: AwsEndpointOptions = {}) {
  const clock = { now: start }
  const endpoint = await startAwsEndpoint({ port: 0, now: () => clock.now, ...options })
  const clients = clientsOf(endpoint)
  onTestFinished(async () => {
    for (const client of Object.values(clients)) client.destroy()
    await endpoint.close()
  })
  return {
    endpoint,
    ...clients,
    /** Moves the clock on. */
    wait(seconds: number) {
      clock.now = new Date(clock.now.getTime() + seconds * 1000)
    },
    /** A request without SDK: no signature, nothing filled in. */
    raw(target: string, body: unknown, headers: Record<string, string> = {}) {
      return fetch(endpoint.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': target,
          ...headers,
        },
        body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body),
      })
    },
  }
}

type Secrets = ReturnType<typeof clientsOf>['secrets']

/** Labels by version id, as DescribeSecret shows them. */
export async function labels(secrets: Secrets, SecretId: string) {
  return (await secrets.describeSecret({ SecretId })).VersionIdsToStages
}
