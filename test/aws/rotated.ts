import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { readSettings } from '../../lib/aws/environment.ts'
import { createHandler } from '../../lib/aws/handler.ts'
import { awsPorts } from '../../lib/aws/ports.ts'
import { createTokenSource } from '../../lib/consumer/index.ts'
import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import { enroll as enrollConnection, requestRotation } from '../../lib/core/enroll.ts'
import { createHttp } from '../../lib/http.ts'
import type { AwsEndpointOptions, RotationEvent } from '../../lib/local/aws/endpoint.ts'
import { demoConnections } from '../../lib/local/demo-connections.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { startSimulator } from '../sockets/scene.ts'
import { account, context, type Deployed } from './account.ts'

export const functionArn = 'arn:aws:lambda:us-east-1:123456789012:function:rotator'

/** What stands between Secrets Manager and the function: it invokes the function, or not. */
export type Passage = (event: RotationEvent, invoke: () => Promise<unknown>) => Promise<unknown>

/**
 * A demo connection, enrolled, over real sockets; its function under the schedule and under Secrets
 * Manager's rotation of the consumer secret alike, but not yet invoked.
 */
export async function rotated(
  demoId: string,
  { isEnrolled = true, ...options }: AwsEndpointOptions & { isEnrolled?: boolean } = {},
) {
  const demo = demoConnections.find(({ id }) => id === demoId)
  const vendor = demo && vendors[demo.vendor]
  if (demo === undefined || vendor === undefined) throw new Error(`no demo connection ${demoId}`)
  // At the speed of life: no session may idle out while a test is at work.
  const simulator = await startSimulator({ ...demo, simulator: { ...demo.simulator, speed: 1 } }, 1)
  onTestFinished(() => simulator.close())
  const configuration = { id: demo.id, vendor: demo.vendor, ...demo.configure(simulator) }
  const fields = Object.fromEntries(demo.enroll.map((name) => [name, simulator.credential[name]]))
  const enroll = (await vendor.prepare?.(fields)) ?? fields
  const deployed: Deployed = isEnrolled ? { configuration, enroll } : { configuration }
  const at = await account([deployed], { rotationRetryMs: 0, ...options })
  const { connections, ...settings } = readSettings(process.env, vendors)
  const [connection] = connections
  if (connection === undefined) throw new Error('no connection is configured')
  const ports = awsPorts(settings)
  const { secrets, endpoint } = at
  const consumer = consumerSecretId(demo.id)

  const handler = createHandler(vendor)
  const steps: string[] = []
  const failed: string[] = []
  const scene = {
    ...at,
    simulator,
    consumer,
    enrollment: enrollmentSecretId(demo.id),
    /** Every step that was begun, in order. */
    steps,
    /** What each step that failed said. */
    failed,
    functionArn,
    /** What each invocation by Secrets Manager passes through. */
    passage: ((_event, invoke) => invoke()) as Passage,
    /** One invocation by the schedule. */
    tick: () => createHandler(vendor)({}, context),
    /** One step, as Secrets Manager would invoke it. */
    step: (Step: string, ClientRequestToken: string, seconds = 300) =>
      handler(
        { Step, SecretId: consumer, ClientRequestToken },
        { getRemainingTimeInMillis: () => seconds * 1000 },
      ),
    /** What a person does: `token-rotator rotate`, and `token-rotator enroll`. */
    requestRotation: () =>
      requestRotation(
        { connection, vendor, runId: randomUUID(), remainingSeconds: () => 30 },
        ports,
      ),
    enroll: () =>
      enrollConnection(
        { connection, vendor, runId: randomUUID(), remainingSeconds: () => 30 },
        fields,
        randomUUID(),
        ports,
      ),
    /** The end of a back-off. */
    async makeDue() {
      const item = await ports.ledger.read(vendor.id, demo.id)
      if (item === undefined) throw new Error('the ledger has no such connection')
      const { revision } = item
      await ports.ledger.write({ ...item, revision: revision + 1, writer: 'x', dueAt: new Date() })
    },
    /** Configures rotation; that alone tests it. */
    async configure() {
      await secrets.rotateSecret({
        SecretId: consumer,
        RotationLambdaARN: functionArn,
        RotationRules: { AutomaticallyAfterDays: 30 },
        RotateImmediately: false,
      })
      await endpoint.rotationsSettled()
      steps.length = 0
    },
    /** "Rotate now", until nothing of it is under way. @returns the id of the version to be */
    async rotateNow(): Promise<string> {
      const { VersionId = '' } = await secrets.rotateSecret({ SecretId: consumer })
      await endpoint.rotationsSettled()
      return VersionId
    },
    labels: async () => (await secrets.describeSecret({ SecretId: consumer })).VersionIdsToStages,
    /** Whether a workload that reads the consumer secret now is let in by the vendor. */
    async isServed(): Promise<boolean> {
      const http = createHttp(simulator.ca === undefined ? {} : { ca: simulator.ca })
      try {
        const source = createTokenSource(demo.id, { cacheSeconds: 0, client: secrets })
        const { headers } = await source.getToken()
        const call = { name: 'consumer', ...demo.call(simulator), headers, timeoutSeconds: 10 }
        return (await http.request(call)).status === 200
      } finally {
        await http.close()
      }
    },
    /** What has gone wrong, all of which must be none. */
    harm: () => {
      const { presentedTwice, refusals } = simulator.counters()
      return { presentedTwice, refusals }
    },
  }
  endpoint.provideFunction(functionArn, (event) => {
    steps.push(event.Step)
    return scene
      .passage(event, () => handler(event, context))
      .catch((error: Error) => {
        failed.push(error.message)
        throw error
      })
  })
  return scene
}

export const noHarm = { presentedTwice: 0, refusals: 0 }
