import { Duration, Stack } from 'aws-cdk-lib'
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { allowEnrolling } from './enrolling.ts'
import type { Ledger } from './ledger.ts'
import { peerRoleArns, roleName } from './peer-permissions.ts'
import type { RotatedConnection } from './rotated-connection.ts'

/** What stands in the role's name where a function's has its vendor; no vendor has this id. */
export const enrolling = 'enroll'

export interface EnrollRoleProps {
  readonly connections: readonly RotatedConnection[]
  readonly ledger: Ledger
  readonly encryptionKey?: IKey
  /** Every region of the installation; none if there is just one. */
  readonly regions?: readonly string[]
}

/**
 * The role that people enroll by, for an hour at a time: what `grantEnroll` gives, for every connection,
 * and no reading of any secret.
 *
 * Its trust is the account itself: who of it may take the role is for their own policies to say, by
 * `sts:AssumeRole` on it, as this stack cannot know those people. In an account in which many may assume
 * any role, that is many; the role still reads nothing, and CloudTrail names who took it.
 */
export class EnrollRole extends Role {
  constructor(scope: Construct, id: string, props: EnrollRoleProps) {
    const { connections, regions = [] } = props
    const { region } = Stack.of(scope)
    const peers = regions.filter((each) => each !== region)
    super(scope, id, {
      ...(peers.length === 0 ? {} : { roleName: roleName(enrolling, region) }),
      assumedBy: new AccountRootPrincipal(),
      description: 'Enrolls credentials with token-rotator, and reads none',
      maxSessionDuration: Duration.hours(1),
    })
    allowEnrolling(this, connections, props)
    for (const connection of connections) {
      connection.letEnroll(this)
      // A replica that is promoted brings the policy of the first region along.
      for (const roleArn of peerRoleArns(this, enrolling, peers)) connection.letEnroll({ roleArn })
    }
  }
}
