import { Stack } from 'aws-cdk-lib'
import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2'
import { env } from './synthesis.ts'

/** A network that exists already, with one private subnet. */
export function vpc(): IVpc {
  return Vpc.fromVpcAttributes(new Stack(undefined, 'Owner', { env }), 'Vpc', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['eu-west-1a'],
    privateSubnetIds: ['subnet-0123456789abcdef0'],
  })
}
