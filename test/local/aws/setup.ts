import { SecretsManager } from '@aws-sdk/client-secrets-manager'
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

interface ClientConfig {
  endpoint: string
  region: string
  credentials: { accessKeyId: string; secretAccessKey: string }
  maxAttempts: number
}

/** One of AWS's own clients for an endpoint, gone with the test. */
export function connect<Client extends { destroy(): void }>(
  { url }: Pick<AwsEndpoint, 'url'>,
  Client: new (config: ClientConfig) => Client,
): Client {
  const client = new Client({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    // A fault that is injected once must reach the test, not the client's retry.
    maxAttempts: 1,
  })
  onTestFinished(() => client.destroy())
  return client
}

/** An endpoint of the test's own, a client for it, and a clock that the test moves. */
export async function setUp(options: AwsEndpointOptions = {}) {
  const clock = { now: start }
  const endpoint = await startAwsEndpoint({ port: 0, now: () => clock.now, ...options })
  onTestFinished(() => endpoint.close())
  return {
    endpoint,
    secrets: connect(endpoint, SecretsManager),
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

/** Labels by version id, as DescribeSecret shows them. */
export async function labels(secrets: SecretsManager, SecretId: string) {
  return (await secrets.describeSecret({ SecretId })).VersionIdsToStages
}
