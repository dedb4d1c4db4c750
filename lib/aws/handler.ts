import { randomUUID } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import type { Connection } from '../core/connection.ts'
import { describeError } from '../core/errors.ts'
import { measure } from '../core/measure.ts'
import type { Outcome } from '../core/release.ts'
import type { Timings } from '../core/renewal.ts'
import { tick } from '../core/tick.ts'
import type { Vendor } from '../core/vendor.ts'
import { readSettings } from './environment.ts'
import { type TickMetrics, tickMetrics } from './metrics.ts'
import { type AwsPorts, awsPorts } from './ports.ts'

/** What a handler needs of Lambda's context. */
export interface InvocationContext {
  readonly getRemainingTimeInMillis: () => number
}

/** A scheduled invocation: its event says nothing that the ledger does not know better. */
export type Handler = (
  event: unknown,
  context: InvocationContext,
) => Promise<{ outcomes: Outcome[] }>

// What a call to the ledger takes at most, and some seconds to write it down.
const surveySeconds = 15

/** Measures every configured connection of the vendor, due or not. */
async function survey(
  vendor: Vendor,
  connections: readonly Connection[],
  ports: AwsPorts,
  metrics: TickMetrics,
): Promise<void> {
  const items = await ports.survey(vendor.id)
  const now = ports.clock.now()
  const configured = new Set(connections.map(({ id }) => id))
  for (const item of items) {
    if (!configured.has(item.connection)) continue
    metrics.stands(item.connection, measure(item, vendor, now, ports.timings))
  }
}

/**
 * The function of one vendor: rotates what is due and logs every outcome as it is. The environment is
 * read at the first invocation, clients are made once per cold start.
 *
 * @param timings durations of the engine; those used on AWS by default
 * @throws {ConfigError} at the first invocation, if the environment or the connections are wrong
 * @throws {StoreError} the ledger cannot be queried; the next tick tries again
 */
export function createHandler(vendor: Vendor, timings?: Timings): Handler {
  const logger = new Logger({ serviceName: 'token-rotator', persistentKeys: { vendor: vendor.id } })
  const metrics = tickMetrics(vendor.id, process.env.AWS_LAMBDA_FUNCTION_NAME ?? vendor.id)
  const open = () => {
    const settings = readSettings(process.env, { [vendor.id]: vendor }, vendor.id)
    return { connections: settings.connections, ports: awsPorts(settings, timings) }
  }
  let opened: ReturnType<typeof open> | undefined
  return async (_event, context) => {
    opened ??= open()
    const { connections, ports } = opened
    const remainingSeconds = () => context.getRemainingTimeInMillis() / 1000
    const ended = (outcome: Outcome, seconds: number) => {
      const level = outcome.outcome === 'failed' || outcome.outcome === 'blocked' ? 'warn' : 'info'
      logger[level]('run', { run: outcome })
      metrics.ran(outcome, seconds)
    }
    const frame = { vendor, connections, remainingSeconds, newRunId: randomUUID, ended }
    const outcomes = await tick(frame, ports)
    try {
      // Only now, when every run is over: to be seen must not cost a rotation anything.
      const hasTime = remainingSeconds() > surveySeconds
      if (metrics.wanted && hasTime) await survey(vendor, connections, ports, metrics)
    } catch (error) {
      logger.warn('survey', { error: describeError(error) })
    }
    metrics.ticked(ports.calls.take())
    return { outcomes }
  }
}
