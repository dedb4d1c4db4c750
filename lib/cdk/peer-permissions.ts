import { Stack } from 'aws-cdk-lib'
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { enrollmentSecretId } from '../core/documents.ts'
import { escrowName } from '../core/read-held.ts'
import { allow, allowItems, inStatements, parameterArn, secretArn } from './permissions.ts'

/** Where else the same connections are deployed. */
export interface PeerPermissionsProps {
  /** The vendor's id: the partition of the ledger that its function may touch. */
  readonly vendor: string
  /** Ids of the vendor's own connections. */
  readonly connections: readonly string[]
  /** Name of the ledger table, the same in every region. */
  readonly ledgerTable: string
  /** Every region of the list but the stack's own. */
  readonly peers: readonly string[]
}

/** Name of a role, such that the stack of another region knows it: of a function, or of those who enroll. */
export function roleName(whose: string, region: string): string {
  return `token-rotator-${whose}-${region}`
}

/** ARNs of the same role in other regions. */
export function peerRoleArns(scope: Construct, whose: string, peers: readonly string[]): string[] {
  return peers.map((peer) =>
    Stack.of(scope).formatArn({
      service: 'iam',
      region: '',
      resource: 'role',
      resourceName: roleName(whose, peer),
    }),
  )
}

/** The variable by which functions know of each other: the same list in every region, the one at work first. */
export function regionsVariable(regions: readonly string[]): Record<string, string> {
  return regions.length < 2 ? {} : { TOKEN_ROTATOR_REGIONS: regions.join(',') }
}

/**
 * What a function may do in the other regions of its list: ask for leave in the ledger, and fetch the
 * newest pair when it takes over. It writes no secret there.
 */
export function peerPermissions(scope: Construct, props: PeerPermissionsProps): PolicyStatement[] {
  const { vendor, connections, ledgerTable, peers } = props
  return peers.flatMap((region) => {
    const ledger = Stack.of(scope).formatArn({
      region,
      service: 'dynamodb',
      resource: 'table',
      resourceName: ledgerTable,
    })
    return [
      allowItems(['dynamodb:GetItem', 'dynamodb:PutItem'], ledger, vendor),
      ...inStatements(connections).flatMap((ids) => [
        // Six characters at the end are Secrets Manager's own; another stack's are not known here.
        allow(
          ['secretsmanager:GetSecretValue'],
          ...ids.map((id) => secretArn(scope, region, `${enrollmentSecretId(id)}-??????`)),
        ),
        allow(
          ['ssm:GetParameter'],
          ...ids.map((id) => parameterArn(scope, escrowName(id), region)),
        ),
      ]),
    ]
  })
}
