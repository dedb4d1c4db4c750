import { randomUUID } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import type { Outcome } from '../core/release.ts'
import type { Timings } from '../core/renewal.ts'
import { tick } from '../core/tick.ts'
import type { Vendor } from '../core/vendor.ts'
import { closeIdleConnections } from './connections.ts'
import { readSettings } from './environment.ts'
import { readInvocation } from './invocation.ts'
import { recordOutcomes } from './metrics.ts'
import { awsPorts } from './ports.ts'

/** What a handler needs of Lambda's context. */
export interface InvocationContext {
  readonly getRemainingTimeInMillis: () => number
}

/** A scheduled invocation: its event says nothing that the ledger does not know better. */
export type Handler = (
  event: unknown,
  context: InvocationContext,
) => Promise<{ outcomes: Outcome[] }>

/**
 * The function of one vendor: rotates what is due and logs every outcome as it is. The environment is
 * read at the first invocation, clients are made once per cold start.
 *
 * @param timings durations of the engine; those used on AWS by default
 * @throws {ConfigError} the event is of no schedule; or, at the first invocation, the environment or the
 *   connections are wrong
 * @throws {StoreError} the ledger cannot be queried; the next tick tries again
 */
export function createHandler(vendor: Vendor, timings?: Timings): Handler {
  const logger = new Logger({ serviceName: 'token-rotator', persistentKeys: { vendor: vendor.id } })
  const metrics = new Metrics({ namespace: 'TokenRotator', serviceName: vendor.id })
  const open = () => {
    const settings = readSettings(process.env, { [vendor.id]: vendor }, vendor.id)
    return { connections: settings.connections, ports: awsPorts(settings, timings) }
  }
  let opened: ReturnType<typeof open> | undefined
  return async (event, context) => {
    readInvocation(event)
    // They may be older than they look: this process may have been frozen since.
    closeIdleConnections()
    opened ??= open()
    const { connections, ports } = opened
    const remainingSeconds = () => context.getRemainingTimeInMillis() / 1000
    const frame = { vendor, connections, remainingSeconds, newRunId: randomUUID }
    const outcomes = await tick(frame, ports)
    for (const outcome of outcomes) {
      const level = outcome.outcome === 'failed' || outcome.outcome === 'blocked' ? 'warn' : 'info'
      logger[level]('run', { run: outcome })
    }
    recordOutcomes(metrics, outcomes)
    return { outcomes }
  }
}
