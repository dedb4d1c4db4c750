import { Annotations } from 'aws-cdk-lib'
import { type IGrantable, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'

/** What SNS does with a topic's key for whoever publishes. */
const publishing = ['kms:Decrypt', 'kms:GenerateDataKey']

/** Lets a role use the key of an encrypted topic to publish to it. A topic that is known by its ARN alone hides its key. */
export function allowTopicKey({ masterKey }: ITopic, publisher: IGrantable): void {
  masterKey?.grant(publisher, ...publishing)
}

/**
 * Lets CloudWatch use the key of an encrypted topic, without which alarms are raised and nobody hears of
 * it. The policy of an imported key cannot be changed from here: then synthesis warns.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html encrypted topics
 */
export function openToAlarms(scope: Construct, { masterKey }: ITopic): void {
  if (masterKey === undefined) return
  const { statementAdded } = masterKey.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: publishing,
      resources: ['*'],
    }),
  )
  if (statementAdded) return
  Annotations.of(scope).addWarningV2(
    'token-rotator:topic-key-policy',
    `the policy of the imported key of the alarms' topic must let cloudwatch.amazonaws.com use ${publishing.join(' and ')}`,
  )
}
