import { App } from 'aws-cdk-lib'
import { readConnections } from '../lib/aws/environment.ts'
import { RotatorStack } from '../lib/cdk/rotator-stack.ts'
import { encodeConnection } from '../lib/core/decode-connections.ts'
import { ConfigError, isRotatorError } from '../lib/core/errors.ts'
import { vendors } from '../lib/vendors/index.ts'

const app = new App()
const context = (name: string): string | undefined => app.node.tryGetContext(name)
const path = context('connections') ?? 'connections.json'
const [vpcId, subnetIds, alarmTopicArn] = ['vpcId', 'subnetIds', 'alarmTopicArn'].map(context)

try {
  if ((vpcId === undefined) !== (subnetIds === undefined)) {
    throw new ConfigError(
      vpcId === undefined ? 'vpcId' : 'subnetIds',
      'found nothing; allowed are both or neither, e.g. -c vpcId=vpc-0abc -c subnetIds=subnet-0abc,subnet-0def',
    )
  }
  new RotatorStack(app, 'TokenRotator', {
    description: 'Rotates the tokens of security products',
    connections: readConnections(path, vendors).map(encodeConnection),
    ...(vpcId === undefined ? {} : { network: { vpcId, subnetIds: subnetIds?.split(',') ?? [] } }),
    ...(alarmTopicArn === undefined ? {} : { alarmTopicArn }),
    // A value on the command line is text, one in cdk.json is not.
    nativeRotation: String(context('nativeRotation')) !== 'false',
  })
} catch (error) {
  if (!isRotatorError(error)) throw error
  process.stderr.write(`${error.message}\n`)
  // At once: an app that ends by itself would write the half of a stack first.
  process.exit(1)
}
