import { Duration, Validations } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'

export interface DeadLettersProps {
  /**
   * Where the alarm is sent.
   *
   * @default the alarm is raised, and nobody is told
   */
  readonly alarmTopic?: ITopic
}

/**
 * Where ticks end that the Scheduler could not deliver or a function did not finish, and messages about
 * an incident that found no reader. Nobody replays ticks: the next one is the retry. They are kept so that
 * it can be seen afterwards what happened, and hold no secret: an event says nothing, and errors name no
 * credential.
 */
export class DeadLetters extends Construct {
  readonly queue: Queue
  /** Raised as long as something lies in the queue; look at it, then purge the queue. */
  readonly alarm: Alarm

  constructor(scope: Construct, id: string, { alarmTopic }: DeadLettersProps) {
    super(scope, id)
    this.queue = new Queue(this, 'Queue', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
    Validations.of(this.queue).acknowledge(
      {
        id: 'AwsSolutions-SQS3',
        reason: 'It is itself the dead-letter queue, of the schedules and of the functions',
      },
      {
        id: 'Serverless-SQSRedrivePolicy',
        reason: 'It is itself the dead-letter queue, of the schedules and of the functions',
      },
    )
    this.alarm = new Alarm(this, 'Alarm', {
      alarmDescription:
        'A tick was not delivered or not finished, and the next one carries on; or a message for a person was not delivered. Look into the queue for which and why, then purge it.',
      metric: this.queue.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: Stats.MAXIMUM,
      }),
      threshold: 0,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      // An empty queue that nobody uses reports nothing.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    })
    if (alarmTopic !== undefined) {
      const action = new SnsAction(alarmTopic)
      this.alarm.addAlarmAction(action)
      this.alarm.addOkAction(action)
    }
  }
}
