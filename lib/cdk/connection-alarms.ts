import { Alarm, ComparisonOperator, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'
import type { Connection } from '../core/connection.ts'
import type { Standing } from '../core/measure.ts'
import { standingMetric } from './rotator-metrics.ts'

/**
 * What is wrong with one connection. A function that is silent says nothing about it, for better or
 * worse: then these stay as they are, and the alarm on the function's silence is raised.
 */
export class ConnectionAlarms extends Construct {
  /** Less than half of its margin is left to the published token, at two ticks in a row. */
  readonly freshness: Alarm
  /** A refresh token is in doubt. */
  readonly atRisk: Alarm
  /** Only an enrollment helps. */
  readonly enrollment: Alarm

  constructor(scope: Construct, connection: Connection) {
    super(scope, connection.id)
    const { id } = connection
    this.freshness = new Alarm(this, 'Freshness', {
      alarmDescription: `The token of ${id} has less than half of its margin left: readers are about to be refused, or are already. Run: token-rotator status`,
      metric: standingMetric(connection, 'SecondsToStale', { statistic: Stats.MINIMUM }),
      threshold: 0,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: 2,
      treatMissingData: TreatMissingData.IGNORE,
    })
    const flag = (name: string, metricName: keyof Standing, alarmDescription: string) =>
      new Alarm(this, name, {
        alarmDescription,
        metric: standingMetric(connection, metricName, { statistic: Stats.MAXIMUM }),
        threshold: 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.IGNORE,
      })
    this.atRisk = flag(
      'TokenAtRisk',
      'TokenAtRisk',
      `A refresh token of ${id} was sent and its answer is missing. Nothing is to be done yet; it is sent once more shortly before the published token is out. Run: token-rotator status`,
    )
    this.enrollment = flag(
      'EnrollmentRequired',
      'EnrollmentRequired',
      `Nothing usable is left of ${id}: a person has to enroll it again. Run: token-rotator enroll ${id}`,
    )
  }

  get all(): readonly Alarm[] {
    return [this.freshness, this.atRisk, this.enrollment]
  }
}
