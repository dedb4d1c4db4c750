import { randomUUID } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Connection } from '../core/connection.ts'
import { describeError } from '../core/errors.ts'
import { measure } from '../core/measure.ts'
import type { Outcome } from '../core/release.ts'
import type { Timings } from '../core/renewal.ts'
import { tick } from '../core/tick.ts'
import type { Vendor } from '../core/vendor.ts'
import { createHealer } from './abandoned-rotation.ts'
import { closeIdleConnections } from './connections.ts'
import { readSettings } from './environment.ts'
import { readInvocation } from './invocation.ts'
import { type TickMetrics, tickMetrics } from './metrics.ts'
import { rotationStep } from './native-rotation.ts'
import { type AwsPorts, awsPorts } from './ports.ts'
import { clientSettings } from './store-error.ts'

/** What a handler needs of Lambda's context. */
export interface InvocationContext {
  readonly getRemainingTimeInMillis: () => number
}

/** An invocation by the schedule, or by Secrets Manager for one step of a rotation. */
export type Handler = (
  event: unknown,
  context: InvocationContext,
) => Promise<{ outcomes: Outcome[] }>

// What a call to AWS takes at most, and some seconds to write it down.
const surveySeconds = 15

interface Survey {
  readonly vendor: Vendor
  readonly connections: readonly Connection[]
  readonly remainingSeconds: () => number
  readonly ports: AwsPorts
  readonly metrics: TickMetrics
  readonly logger: Logger
}

/**
 * Measures every configured connection of the vendor, due or not. Only when every run is over: to be
 * seen must not cost a rotation anything.
 */
async function survey({ vendor, connections, ports, metrics, ...frame }: Survey): Promise<void> {
  if (!metrics.wanted || frame.remainingSeconds() <= surveySeconds) return
  try {
    const items = await ports.survey(vendor.id)
    const now = ports.clock.now()
    const configured = new Set(connections.map(({ id }) => id))
    for (const item of items) {
      if (!configured.has(item.connection)) continue
      metrics.stands(item.connection, measure(item, vendor, now, ports.timings, ports.regions?.own))
    }
  } catch (error) {
    frame.logger.warn('survey', { error: describeError(error) })
  }
}

/**
 * The function of one vendor: rotates what is due, or takes a step of a native rotation, and logs every
 * outcome as it is. The environment is read at the first invocation, clients are made once per cold start.
 *
 * @param timings durations of the engine; those used on AWS by default
 * @throws {ConfigError} the event is neither; or, at the first invocation, the environment or the
 *   connections are wrong
 * @throws {StoreError} the ledger cannot be queried; the next tick tries again
 * @throws {RotationStepError} the step is not done; Secrets Manager tries the rotation again
 */
export function createHandler(vendor: Vendor, timings?: Timings): Handler {
  const logger = new Logger({ serviceName: 'token-rotator', persistentKeys: { vendor: vendor.id } })
  const metrics = tickMetrics(vendor.id, process.env.AWS_LAMBDA_FUNCTION_NAME ?? vendor.id)
  const open = () => {
    const settings = readSettings(process.env, { [vendor.id]: vendor }, vendor.id)
    const secretsManager = new SecretsManagerClient(clientSettings)
    const ports = awsPorts(settings, timings, secretsManager)
    const heal = createHealer(secretsManager, ports, vendor.id)
    return { connections: settings.connections, secretsManager, ports, heal }
  }
  let opened: ReturnType<typeof open> | undefined
  return async (event, context) => {
    const invocation = readInvocation(event)
    // They may be older than they look: this process may have been frozen since.
    closeIdleConnections()
    opened ??= open()
    const { connections, secretsManager, ports, heal } = opened
    const remainingSeconds = () => context.getRemainingTimeInMillis() / 1000
    const begun = ports.clock.now().getTime()
    const sinceBegun = () => Math.max(0, (ports.clock.now().getTime() - begun) / 1000)
    const frame = { vendor, connections, remainingSeconds, newRunId: randomUUID }
    const outcomes: Outcome[] = []
    const ended = (outcome: Outcome, seconds: number) => {
      const level = outcome.outcome === 'failed' || outcome.outcome === 'blocked' ? 'warn' : 'info'
      logger[level]('run', { run: outcome })
      metrics.ran(outcome, seconds)
    }
    const report = (outcome: Outcome) => {
      ended(outcome, sinceBegun())
      outcomes.push(outcome)
    }
    try {
      if (invocation !== 'tick') {
        await rotationStep(invocation, { ...frame, secretsManager, report }, ports)
        return { outcomes }
      }
      outcomes.push(...(await tick({ ...frame, ended }, ports)))
      await survey({ ...frame, ports, metrics, logger })
      metrics.ticked()
      if (remainingSeconds() > surveySeconds) {
        await heal(
          connections.map(({ id }) => id),
          outcomes,
        )
      }
    } finally {
      metrics.called(ports.calls.take())
    }
    return { outcomes }
  }
}
