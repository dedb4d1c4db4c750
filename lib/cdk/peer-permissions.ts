import { ArnFormat, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { enrollmentSecretId } from '../core/documents.ts'
import { escrowName } from '../core/read-held.ts'

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

/** Name of a function's role, such that the stack of another region knows it. */
export function roleName(rotation: string, region: string): string {
  return `token-rotator-${rotation}-${region}`
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
  const stack = Stack.of(scope)
  const arn = (region: string, service: string, resource: string, resourceName: string) =>
    stack.formatArn({
      region,
      service,
      resource,
      resourceName,
      ...(service === 'secretsmanager' ? { arnFormat: ArnFormat.COLON_RESOURCE_NAME } : {}),
    })
  return peers.flatMap((region) => [
    new PolicyStatement({
      actions: ['dynamodb:GetItem', 'dynamodb:PutItem'],
      resources: [arn(region, 'dynamodb', 'table', ledgerTable)],
      conditions: {
        'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [vendor] },
        // "For all values" is also true of no value.
        Null: { 'dynamodb:LeadingKeys': 'false' },
      },
    }),
    new PolicyStatement({
      actions: ['secretsmanager:GetSecretValue'],
      // Six characters at the end are Secrets Manager's own; another stack's are not known here.
      resources: connections.map((id) =>
        arn(region, 'secretsmanager', 'secret', `${enrollmentSecretId(id)}-??????`),
      ),
    }),
    new PolicyStatement({
      actions: ['ssm:GetParameter'],
      resources: connections.map((id) =>
        arn(region, 'ssm', 'parameter', escrowName(id).replace(/^\//, '')),
      ),
    }),
  ])
}
