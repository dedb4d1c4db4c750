import { EventField, type IEventBus, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events'
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { eventSource } from '../core/events.ts'
import type { Words } from '../core/words.ts'
import { allowTopicKey } from './topic-key.ts'

export interface IncidentNoticesProps {
  /** The bus that the functions put their events on. */
  readonly eventBus: IEventBus
  /** Where a person is told. */
  readonly topic: ITopic
  /**
   * Where a message ends that could not be delivered within a day.
   *
   * @default it is dropped
   */
  readonly deadLetterQueue?: IQueue
}

const lines: readonly (keyof Words)[] = ['headline', 'happened', 'reach', 'todo']

/**
 * One message for each incident, in words: what stands in the event itself, a line each. The rotator
 * knows of no topic; which events a person is to read, it says in the event.
 */
export class IncidentNotices extends Construct {
  readonly rule: Rule

  constructor(scope: Construct, id: string, props: IncidentNoticesProps) {
    super(scope, id)
    const { eventBus, topic, deadLetterQueue } = props
    const words = lines.map((line) => EventField.fromPath(`$.detail.words.${line}`))
    const key = EventField.fromPath('$.detail.idempotencyKey')
    // By a role of its own: a policy on the topic would replace the one by which the account's alarms may
    // publish to it, and could not be put on a topic of another stack.
    const role = new Role(this, 'Publisher', {
      assumedBy: new ServicePrincipal('events.amazonaws.com'),
      description: 'Lets EventBridge publish to one topic',
    })
    allowTopicKey(topic, role)
    this.rule = new Rule(this, 'Rule', {
      description: 'Tells a person in words of each incident of token-rotator',
      eventBus,
      eventPattern: { source: [eventSource], detail: { notify: [true] } },
      targets: [
        new SnsTopic(topic, {
          message: RuleTargetInput.fromMultilineText(
            [...words, `Delivered twice, it is one message: ${key}`].join('\n'),
          ),
          role,
          ...(deadLetterQueue === undefined ? {} : { deadLetterQueue }),
        }),
      ],
    })
  }
}
