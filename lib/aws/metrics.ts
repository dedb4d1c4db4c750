import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { metricNamespace, outcomeCode, type Standing } from '../core/measure.ts'
import type { Outcome } from '../core/release.ts'
import type { Quota } from './call-count.ts'

/** What a tick writes to its log in CloudWatch's embedded metric format; documented in docs/observability.md. */
export interface TickMetrics {
  /** False if `POWERTOOLS_METRICS_DISABLED` is `true`: then nothing is written. */
  readonly wanted: boolean
  /** A run has ended, after so many seconds. */
  readonly ran: (outcome: Outcome, seconds: number) => void
  /** A tick has come to its end. Silence means that nobody is at work. */
  readonly ticked: () => void
  /** An invocation has called AWS so often. */
  readonly called: (calls: Readonly<Partial<Record<Quota, number>>>) => void
  /** Where a connection stands, due or not. */
  readonly stands: (connection: string, standing: Standing) => void
}

const units: Readonly<Record<keyof Standing, (typeof MetricUnit)[keyof typeof MetricUnit]>> = {
  SecondsToExpiry: MetricUnit.Seconds,
  SecondsToStale: MetricUnit.Seconds,
  RefreshSecondsToExpiry: MetricUnit.Seconds,
  TokenAtRisk: MetricUnit.Count,
  EnrollmentRequired: MetricUnit.Count,
  VersionBudgetLeft: MetricUnit.Count,
  CertificateDaysLeft: MetricUnit.Count,
}

/**
 * Metrics of one function. Dimensions are vendor and connection, alone or with the code of an outcome,
 * and the function, alone or with a quota: nothing that comes from outside, so that their number is
 * bounded by what is configured.
 *
 * @param functionName as Lambda knows it
 */
export function tickMetrics(vendor: string, functionName: string): TickMetrics {
  const metrics = new Metrics({ namespace: metricNamespace, serviceName: vendor })
  // Powertools would add `service` to each of them.
  metrics.clearDefaultDimensions()
  const write = (
    dimensions: Readonly<Record<string, string>>,
    values: readonly (readonly [string, (typeof MetricUnit)[keyof typeof MetricUnit], number])[],
  ) => {
    try {
      metrics.addDimensions({ ...dimensions })
      for (const [name, unit, value] of values) metrics.addMetric(name, unit, value)
      metrics.publishStoredMetrics()
    } catch {
      // A number that cannot be written is not worth a rotation; the alarms go by what is missing.
    }
  }
  return {
    wanted: process.env.POWERTOOLS_METRICS_DISABLED !== 'true',
    ran(outcome, seconds) {
      const { connection } = outcome
      write({ vendor, connection, code: outcomeCode(outcome) }, [['Outcome', MetricUnit.Count, 1]])
      if (outcome.outcome === 'rotated' || outcome.outcome === 'recovered') {
        write({ vendor, connection }, [['RotationDuration', MetricUnit.Seconds, seconds]])
      }
    },
    ticked() {
      write({ function: functionName }, [['Ticks', MetricUnit.Count, 1]])
    },
    called(calls) {
      for (const [quota, count] of Object.entries(calls)) {
        write({ function: functionName, quota }, [['AwsCalls', MetricUnit.Count, count]])
      }
    },
    stands(connection, standing) {
      const values = Object.entries(standing) as [keyof Standing, number][]
      write(
        { vendor, connection },
        values.map(([name, value]) => [name, units[name], value] as const),
      )
    },
  }
}
