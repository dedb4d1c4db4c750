import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { ticksMetric } from './rotator-metrics.ts'

/** What is wrong with one function. */
export class FunctionAlarms extends Construct {
  /** An invocation ended in an error: the ledger could not be asked, the function was ended from outside, or a step of a native rotation is not done. */
  readonly errors: Alarm
  /** Lambda turned an invocation down: the account is out of concurrency. */
  readonly throttles: Alarm
  /** An event was given up: it lies in the queue of dead letters, if that could take it. */
  readonly dropped: Alarm
  /** No tick has come to its end for five minutes: nobody is at work. */
  readonly silence: Alarm

  constructor(scope: Construct, id: string, lambda: IFunction) {
    super(scope, id)
    const options = { statistic: Stats.SUM, period: Duration.minutes(1) }
    const counted = {
      threshold: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 1,
      // Nothing is written of a minute without an error.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }
    this.errors = new Alarm(this, 'Errors', {
      alarmDescription: `An invocation of ${id} failed: a tick, which the next one makes up for, or a step of a native rotation, which Secrets Manager repeats. If it goes on, see the log of the function`,
      metric: lambda.metricErrors(options),
      ...counted,
    })
    this.throttles = new Alarm(this, 'Throttles', {
      alarmDescription: `Lambda turned down a tick of ${id}: the account is out of concurrency. Give it more, or see what uses it up`,
      metric: lambda.metricThrottles(options),
      ...counted,
    })
    this.dropped = new Alarm(this, 'Dropped', {
      alarmDescription: `Lambda gave up a tick of ${id}. The next one carries on; the queue of dead letters says why it failed`,
      metric: lambda.metric('AsyncEventsDropped', options),
      ...counted,
    })
    this.silence = new Alarm(this, 'Silence', {
      alarmDescription: `No tick of ${id} has come to its end for 5 minutes: nothing is renewed. See whether its schedule is enabled, and the log of the function`,
      metric: ticksMetric(lambda),
      threshold: 1,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: 5,
      treatMissingData: TreatMissingData.BREACHING,
    })
  }

  get all(): readonly Alarm[] {
    return [this.errors, this.throttles, this.dropped, this.silence]
  }
}
