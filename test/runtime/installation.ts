import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import { consumerSecretId, enrollmentSecretId, ledgerTableName } from '../../lib/core/documents.ts'
import { createHttp } from '../../lib/http.ts'
import { createLedgerTable } from '../../lib/local/account.ts'
import { startAwsEndpoint } from '../../lib/local/aws/endpoint.ts'
import { type DemoConnection, demoConnections } from '../../lib/local/demo-connections.ts'
import { simulators } from '../../lib/local/simulators/index.ts'
import type { Simulator } from '../../lib/local/simulators/simulator.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { startFaultProxy } from '../sockets/fault-proxy.ts'
import { type ExecutionEnvironment, startEnvironment } from './execution-environment.ts'
import { startRelay } from './relay.ts'

export interface Member {
  readonly demo: DemoConnection
  readonly simulator: Simulator
}

export interface InstallOptions {
  /** Folder of the built functions. */
  readonly assets: string
  /** An empty one, for what is deployed. */
  readonly folder: string
  /** A Node of the functions' version. */
  readonly node: string
  /** How many connections of each kind, each with a vendor of its own. @default 1 */
  readonly copies?: number
}

/**
 * One vendor's function with all that it meets: the built bundle laid out as the stack does it, an
 * account on the embedded endpoint, and a simulator for each of the vendor's demo connections, each
 * enrolled. Nothing has rotated yet.
 *
 *     function ─► relay (loses connections) ─► proxy (tells the time) ─► endpoint
 *              └► simulators
 *
 */
export async function install(
  vendor: string,
  { assets, folder, node, copies = 1 }: InstallOptions,
) {
  const endpoint = await startAwsEndpoint({ port: 0 })
  const clock = { aheadSeconds: 0 }
  const proxy = await startFaultProxy({
    upstream: endpoint.url,
    fault: () => undefined,
    rewrite: (_exchange, answered) => ({
      ...answered,
      rawHeaders: dated(answered.rawHeaders, clock.aheadSeconds),
    }),
  })
  const relay = await startRelay(proxy.url)

  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const account = { endpoint: endpoint.url, region: 'us-east-1', credentials }
  const secrets = new SecretsManager(account)
  const tables = new DynamoDBClient(account)
  await createLedgerTable(tables, ledgerTableName)
  tables.destroy()

  const demos = demoConnections
    .filter((demo) => demo.vendor === vendor)
    .flatMap((demo) =>
      Array.from({ length: copies }, (_, n) =>
        n === 0 ? demo : { ...demo, id: `${demo.id}-${n}` },
      ),
    )
  const members = await Promise.all(
    demos.map(async (demo): Promise<Member> => {
      const start = simulators[vendor as keyof typeof simulators].start
      const simulator = await start(demo.simulator)
      const fields = Object.fromEntries(
        demo.enroll.map((name) => [name, simulator.credential[name]]),
      )
      const credential = (await vendors[vendor]?.prepare?.(fields)) ?? fields
      await secrets.createSecret({ Name: consumerSecretId(demo.id) })
      const Name = enrollmentSecretId(demo.id)
      await secrets.createSecret({ Name, SecretString: JSON.stringify(credential) })
      return { demo, simulator }
    }),
  )
  cpSync(join(assets, vendor), folder, { recursive: true })
  const list = members.map(({ demo, simulator }) => ({
    id: demo.id,
    vendor,
    ...demo.configure(simulator),
  }))
  writeFileSync(join(folder, 'connections.json'), JSON.stringify(list))

  const environments: ExecutionEnvironment[] = []
  return {
    endpoint,
    relay,
    members,
    /** By how much the account's clock is ahead of this machine's. */
    clock,
    /** A cold start. */
    async start(environment: Readonly<Record<string, string>> = {}) {
      const started = await startEnvironment({
        folder,
        handler: `${vendor}.handler`,
        node,
        environment: {
          AWS_ENDPOINT_URL: relay.url,
          TOKEN_ROTATOR_LEDGER_TABLE: ledgerTableName,
          TOKEN_ROTATOR_CONNECTIONS: join(folder, 'connections.json'),
          ...environment,
        },
      })
      environments.push(started)
      return started
    },
    /** What a workload that reads the consumer secret now is answered by the vendor. */
    async consume({ demo, simulator }: Member): Promise<number> {
      const { SecretString = '' } = await secrets.getSecretValue({
        SecretId: consumerSecretId(demo.id),
      })
      const { headers } = JSON.parse(SecretString) as { headers: Record<string, string> }
      const http = createHttp(simulator.ca === undefined ? {} : { ca: simulator.ca })
      const call = { name: 'consumer', ...demo.call(simulator), headers, timeoutSeconds: 10 }
      return (await http.request(call).finally(http.close)).status
    },
    async close() {
      await Promise.all(environments.map((each) => each.close()))
      await Promise.all(members.map(({ simulator }) => simulator.close()))
      secrets.destroy()
      await relay.close()
      // First: what it is still holding back, the proxy waits for.
      await endpoint.close()
      await proxy.close()
    },
  }
}

/** The headers of an answer, with its date moved on. */
function dated(rawHeaders: readonly string[], aheadSeconds: number): string[] {
  return rawHeaders.map((text, index) =>
    rawHeaders[index - 1]?.toLowerCase() === 'date' && index % 2 === 1
      ? new Date(Date.parse(text) + aheadSeconds * 1000).toUTCString()
      : text,
  )
}
