import { Stack } from 'aws-cdk-lib'
import { CfnPermission, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnRotationSchedule } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { consumerSecretId } from '../core/documents.ts'
import type { RotatedConnection } from './rotated-connection.ts'

// Security Hub wants a secret rotated within 90 days, unless told otherwise.
const everyDays = 30

/** What Secrets Manager's own rotation takes. */
export interface NativeRotationProps {
  /** The vendor's function, which answers a tick and a step of a rotation alike. */
  readonly function: LambdaFunction
  /** The connections whose consumer secrets it rotates. */
  readonly connections: readonly RotatedConnection[]
}

/**
 * Rotation as Secrets Manager knows it, on the consumer secrets: "Rotate now" in the console and
 * `aws secretsmanager rotate-secret` renew a token at once, and auditors see rotation configured. What
 * is due is still the rotator's own affair, and a deployment renews nothing: it has AWS try the
 * function's test step alone.
 *
 * The enrollment secrets have none: each of their versions has one possible successor, known by its id,
 * and a version of AWS's choosing would be a second one.
 */
export class NativeRotation extends Construct {
  constructor(scope: Construct, id: string, props: NativeRotationProps) {
    super(scope, id)
    const { function: rotator, connections } = props
    const stack = Stack.of(this)
    const permission = new CfnPermission(this, 'Permission', {
      action: 'lambda:InvokeFunction',
      functionName: rotator.functionArn,
      principal: 'secretsmanager.amazonaws.com',
      sourceAccount: stack.account,
      // One for all: a permission for each would fill the 20 KB of a function's policy with fifty
      // connections. The function itself refuses any secret that is not one of its own.
      sourceArn: stack.formatArn({
        service: 'secretsmanager',
        resource: `secret:${consumerSecretId('*')}-??????`,
      }),
    })
    for (const connection of connections) {
      // Within the connection, so that it keeps its logical id whatever function rotates it: under another
      // one CloudFormation would make a second schedule of the same secret and then end the first, which
      // ends rotation. https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1813
      const schedule = new CfnRotationSchedule(connection, 'NativeRotation', {
        secretId: connection.accessToken.ref,
        rotationLambdaArn: rotator.functionArn,
        rotationRules: { automaticallyAfterDays: everyDays },
        rotateImmediatelyOnUpdate: false,
      })
      // Secrets Manager tries the function when it is told of it.
      schedule.node.addDependency(permission)
      if (rotator.role !== undefined) schedule.node.addDependency(rotator.role)
    }
  }
}
