import { Duration } from 'aws-cdk-lib'
import { Metric, type MetricProps, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { Connection } from '../core/connection.ts'
import { metricNamespace, type Standing } from '../core/measure.ts'

/** A tick comes once a minute, and so do the numbers. */
const period = Duration.minutes(1)

type Statistic = Pick<MetricProps, 'statistic' | 'label'>

/** Where a connection stands, as every tick of its function writes it. */
export function standingMetric(
  { id, vendor }: Pick<Connection, 'id' | 'vendor'>,
  metricName: keyof Standing,
  statistic: Statistic,
): Metric {
  return metric(metricName, { vendor, connection: id }, statistic)
}

/** Ticks that came to their end. */
export function ticksMetric({ functionName }: IFunction): Metric {
  return metric('Ticks', { function: functionName }, { statistic: Stats.SUM })
}

/** A function's calls to AWS that count against a quota. */
export function callsMetric({ functionName }: IFunction, quota: string, label: string): Metric {
  return metric('AwsCalls', { function: functionName, quota }, { statistic: Stats.SUM, label })
}

function metric(
  metricName: string,
  dimensionsMap: Readonly<Record<string, string>>,
  statistic: Statistic,
): Metric {
  return new Metric({
    namespace: metricNamespace,
    metricName,
    dimensionsMap: { ...dimensionsMap },
    period,
    ...statistic,
  })
}
