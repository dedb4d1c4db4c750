import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { Outcome } from '../core/release.ts'

/**
 * Writes one metric per outcome of a tick (dimension: the vendor), and two that are worth an alarm.
 * A tick without a run still says so: silence means that nobody is at work.
 */
export function recordOutcomes(metrics: Metrics, outcomes: readonly Outcome[]): void {
  metrics.addMetric('Ticks', MetricUnit.Count, 1)
  for (const outcome of outcomes) {
    metrics.addMetric(`Outcome.${outcome.outcome}`, MetricUnit.Count, 1)
    if (outcome.cause === 'token-at-risk') metrics.addMetric('TokenAtRisk', MetricUnit.Count, 1)
    if (outcome.cause === 'enrollment-required') {
      metrics.addMetric('EnrollmentRequired', MetricUnit.Count, 1)
    }
  }
  metrics.publishStoredMetrics()
}
