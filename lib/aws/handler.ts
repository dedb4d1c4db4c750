import { randomUUID } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Outcome } from '../core/release.ts'
import type { Timings } from '../core/renewal.ts'
import { tick } from '../core/tick.ts'
import type { Vendor } from '../core/vendor.ts'
import { createHealer } from './abandoned-rotation.ts'
import { closeIdleConnections } from './connections.ts'
import { readSettings } from './environment.ts'
import { readInvocation } from './invocation.ts'
import { recordOutcomes } from './metrics.ts'
import { rotationStep } from './native-rotation.ts'
import { awsPorts } from './ports.ts'
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
  const metrics = new Metrics({ namespace: 'TokenRotator', serviceName: vendor.id })
  const open = () => {
    const settings = readSettings(process.env, { [vendor.id]: vendor }, vendor.id)
    const secretsManager = new SecretsManagerClient(clientSettings)
    const ports = awsPorts(settings, timings, secretsManager)
    const heal = createHealer(secretsManager, ports)
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
    const frame = { vendor, connections, remainingSeconds, newRunId: randomUUID }
    const outcomes: Outcome[] = []
    const report = (outcome: Outcome) => {
      const level = outcome.outcome === 'failed' || outcome.outcome === 'blocked' ? 'warn' : 'info'
      logger[level]('run', { run: outcome })
      outcomes.push(outcome)
    }
    try {
      if (invocation === 'tick') {
        for (const outcome of await tick(frame, ports)) report(outcome)
        await heal(outcomes)
      } else await rotationStep(invocation, { ...frame, secretsManager, report }, ports)
    } finally {
      if (invocation === 'tick' || outcomes.length > 0) recordOutcomes(metrics, outcomes)
    }
    return { outcomes }
  }
}
