import { Stack, Validations } from 'aws-cdk-lib'
import { Effect, Policy, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'

const describing = ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets']
const changing = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:DeleteNetworkInterface',
  'ec2:UnassignPrivateIpAddresses',
]

/**
 * Lets Lambda make a function's network interfaces by the function's role, which is how Lambda does it,
 * and keeps the function's own code from using that: whoever broke into it could else attach interfaces
 * to any subnet of the account.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html required permissions, and the denial
 */
export class VpcAccess extends Construct {
  readonly #role: Role

  constructor(scope: Construct, id: string, role: Role) {
    super(scope, id)
    this.#role = role
    const every = (resource: string) =>
      Stack.of(this).formatArn({ service: 'ec2', resource, resourceName: '*' })
    const interfaces = every('network-interface')
    // Before the function, which Lambda makes only if the role may do this.
    for (const [actions, resources] of [
      [describing, ['*']],
      [['ec2:CreateNetworkInterface'], [interfaces, every('subnet'), every('security-group')]],
      [changing, [interfaces]],
    ] as const) {
      role.addToPolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }))
    }
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'EC2 knows no resource for DescribeNetworkInterfaces and DescribeSubnets',
    })
    for (const resource of [interfaces, every('subnet'), every('security-group')]) {
      Validations.of(role).acknowledge({
        id: `AwsSolutions-IAM5[Resource::${flat(this, resource)}]`,
        reason:
          'Interfaces have no name before they are made, and Lambda asks for all; the code of the function itself is denied these calls',
      })
    }
  }

  /** A policy of its own: as a part of the role's it would have to exist before the function it names. */
  denyTo(code: IFunction): void {
    new Policy(this, 'NotByCode', {
      roles: [this.#role],
      statements: [
        new PolicyStatement({
          effect: Effect.DENY,
          actions: [...describing, 'ec2:CreateNetworkInterface', ...changing],
          resources: ['*'],
          conditions: { ArnEquals: { 'lambda:SourceFunctionArn': code.functionArn } },
        }),
      ],
    })
  }
}

/** An ARN as cdk-nag writes it: the pseudo parameters by name. */
function flat(scope: Construct, arn: string): string {
  const resolved = Stack.of(scope).resolve(arn) as string | { 'Fn::Join': [string, unknown[]] }
  if (typeof resolved === 'string') return resolved
  const [glue, parts] = resolved['Fn::Join']
  return parts
    .map((part) => (typeof part === 'string' ? part : `<${(part as { Ref: string }).Ref}>`))
    .join(glue)
}
