import { Duration, Stack } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { type IScheduleGroup, Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler'
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'

export interface MinuteScheduleProps {
  /** What is invoked. */
  readonly function: IFunction
  /** What it is for, as the console shows it. */
  readonly description: string
  /** The group of the schedule; the role may be used for schedules of this one alone. */
  readonly group: IScheduleGroup
  /** Takes the events that could not be delivered. */
  readonly deadLetters: IQueue
}

/** Invokes one function once a minute, by a role that may do just that, and repeats nothing. */
export class MinuteSchedule extends Construct {
  /** The only role that may invoke the function. */
  readonly role: Role

  constructor(scope: Construct, id: string, props: MinuteScheduleProps) {
    super(scope, id)
    const { group, deadLetters } = props
    this.role = new Role(this, 'Role', {
      description: 'Lets EventBridge Scheduler invoke one function',
      // The service acts for schedules of this group alone, not for whoever else knows the role's name.
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Stack.of(this).account,
            'aws:SourceArn': group.scheduleGroupArn,
          },
        },
      }),
    })
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: [props.function.functionArn],
      }),
    )
    this.role.addToPolicy(
      new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetters.queueArn] }),
    )
    new Schedule(this, 'Schedule', {
      description: props.description,
      scheduleGroup: group,
      schedule: ScheduleExpression.rate(Duration.minutes(1)),
      target: new LambdaInvoke(props.function, {
        // CDK would add every version and alias of the function to what it may invoke.
        role: this.role.withoutPolicyUpdates(),
        retryAttempts: 0,
        maxEventAge: Duration.minutes(1),
        deadLetterQueue: deadLetters,
      }),
    })
  }
}
