import type { IRole } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { enrollmentSecretId } from '../core/documents.ts'
import { escrowName } from '../core/read-held.ts'
import type { Ledger } from './ledger.ts'
import {
  allow,
  allowItems,
  allowSecretKey,
  inStatements,
  keyActions,
  parameterArn,
  secretArn,
} from './permissions.ts'
import type { RotatedConnection } from './rotated-connection.ts'

/**
 * Allows a role what `enroll`, `rotate`, `take-over` and `status` call for some connections: to write
 * their enrollment secrets, to read none, to empty their escrows, and their vendors' ledger items.
 */
export function allowEnrolling(
  role: IRole,
  connections: readonly RotatedConnection[],
  { ledger, encryptionKey }: { readonly ledger: Ledger; readonly encryptionKey?: IKey },
): void {
  for (const some of inStatements(connections)) {
    const ids = some.map(({ connection }) => connection.id)
    const escrows = ids.map((id) => parameterArn(ledger, escrowName(id)))
    role.addToPrincipalPolicy(
      allow(['secretsmanager:PutSecretValue'], ...some.map(({ enrollmentArn }) => enrollmentArn)),
    )
    role.addToPrincipalPolicy(allow(['ssm:DeleteParameter'], ...escrows))
    if (encryptionKey === undefined) continue
    const { region } = ledger.env
    const secrets = ids.map((id) => secretArn(ledger, region, `${enrollmentSecretId(id)}-??????`))
    role.addToPrincipalPolicy(allowSecretKey(keyActions, encryptionKey, secrets, region))
  }
  for (const vendor of new Set(connections.map(({ connection }) => connection.vendor))) {
    role.addToPrincipalPolicy(
      allowItems(['dynamodb:GetItem', 'dynamodb:PutItem'], ledger.tableArn, vendor),
    )
  }
}
