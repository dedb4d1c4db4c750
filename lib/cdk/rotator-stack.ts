import { Annotations, CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import { Vpc } from 'aws-cdk-lib/aws-ec2'
import { Topic } from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { enrollmentSecretId } from '../core/documents.ts'
import { TokenRotator } from './token-rotator.ts'
import type { TokenRotatorProps } from './token-rotator-props.ts'

/** What exists already, by its id, for whoever has no CDK app of their own. */
export interface Existing {
  /**
   * Network to reach devices on site from.
   *
   * @default functions run outside any VPC
   */
  readonly network?: { readonly vpcId: string; readonly subnetIds: readonly string[] }
  /**
   * Topic that alarms are sent to.
   *
   * @default alarms are raised, and nobody is told
   */
  readonly alarmTopicArn?: string
}

/** The rotator as a stack of its own, which tells what an operator needs next. */
export class RotatorStack extends Stack {
  readonly rotator: TokenRotator

  /** @throws {ConfigError} a mistake in the configuration */
  constructor(scope: Construct, id: string, props: TokenRotatorProps & Existing & StackProps) {
    // CloudFormation takes a template of 1 MB; the indentation of a large fleet's is a fifth of it.
    super(scope, id, { suppressTemplateIndentation: true, ...props })
    const { network, alarmTopicArn } = props
    this.rotator = new TokenRotator(this, 'TokenRotator', {
      ...(network === undefined ? {} : { vpc: imported(this, network) }),
      ...(alarmTopicArn === undefined
        ? {}
        : { alarmTopic: Topic.fromTopicArn(this, 'AlarmTopic', alarmTopicArn) }),
      ...props,
    })
    new CfnOutput(this, 'LedgerTable', {
      description: 'Table with the state of every connection',
      value: this.rotator.ledger.tableName,
    })
    new CfnOutput(this, 'EnrollRole', {
      description: 'Whoever may sts:AssumeRole it: token-rotator enroll <id> --role <this>',
      value: this.rotator.enrollRole.roleArn,
    })
    for (const [index, { id }] of this.rotator.connections.entries()) {
      new CfnOutput(this, `Enroll${index}`, {
        description: `Empty until you run: token-rotator enroll ${id} --role <EnrollRole>`,
        value: enrollmentSecretId(id),
      })
    }
  }
}

function imported(scope: Construct, { vpcId, subnetIds }: NonNullable<Existing['network']>) {
  const vpc = Vpc.fromVpcAttributes(scope, 'Vpc', {
    vpcId,
    privateSubnetIds: [...subnetIds],
    // In which zones the subnets are is of no use to a function, and not asked for.
    availabilityZones: [...subnetIds],
  })
  Annotations.of(vpc).acknowledgeWarning(
    '@aws-cdk/aws-ec2:noSubnetRouteTableId',
    'A function takes the routes as they are',
  )
  return vpc
}
