import { Annotations, Fn, Stack, Token, TokenComparison } from 'aws-cdk-lib'
import {
  type IGrantable,
  type IPrincipal,
  OrganizationPrincipal,
  PolicyStatement,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { CfnSecret, ReplicaRegion } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { allowSecretKey, secretArn } from './permissions.ts'

/** A secret in one region, the first or a replica of it. */
export interface Copy {
  readonly arn: string
  readonly region: string
  /** Its customer-managed key; AWS's own if absent. */
  readonly key: IKey | undefined
}

/** A secret and its replicas, which differ from it by the region in their ARN alone. */
export function copiesOf(
  secret: CfnSecret,
  key: IKey | undefined,
  replicaRegions: readonly ReplicaRegion[],
): Copy[] {
  const own = Stack.of(secret).region
  const resourceName = Fn.select(6, Fn.split(':', secret.ref))
  return [
    { arn: secret.ref, region: own, key },
    ...replicaRegions.map(({ region, encryptionKey }) => ({
      arn: secretArn(secret, region, resourceName),
      region,
      key: encryptionKey,
    })),
  ]
}

/** Whether a principal is nobody in particular: everybody, or everybody who fulfils some condition. */
export function isAnybody({
  grantPrincipal,
}: IGrantable): 'unconditionally' | 'conditionally' | undefined {
  const { principalJson, conditions } = grantPrincipal.policyFragment
  if (!Object.values(principalJson).some((names) => names.includes('*'))) return undefined
  return Object.keys(conditions).length === 0 ? 'unconditionally' : 'conditionally'
}

/**
 * What people may know a reader by: its ARN or service if that is known before deployment, else where it
 * stands in the app, or which accounts it stands for. Fit to be an entry of `readers`.
 */
export function readerName(grantee: IGrantable): string {
  const { grantPrincipal } = grantee
  const [who = '*'] = Object.values(grantPrincipal.policyFragment.principalJson).flat()
  const account = grantPrincipal.principalAccount
  let name = 'a principal without a name'
  if (who !== '*' && !Token.isUnresolved(who)) name = who
  else if (Construct.isConstruct(grantee)) name = grantee.node.path
  else if (grantPrincipal instanceof ServicePrincipal) name = grantPrincipal.service
  else if (grantPrincipal instanceof OrganizationPrincipal) {
    name = `organization ${grantPrincipal.organizationId}`
  } else if (account !== undefined && !Token.isUnresolved(account)) name = `account ${account}`
  return name.replace(/[^\w.:/@+= -]/g, '-').slice(0, 100)
}

/** The account of a principal, if it is known to be another than that of a stack. */
export function foreignAccount(grantee: IGrantable, stack: Stack): string | undefined {
  const account = accountOf(grantee)
  const isForeign = compared(account, stack) === TokenComparison.DIFFERENT
  return isForeign ? account : undefined
}

/** The same, if only a deployment of the stack shows whether it is another. */
export function perhapsForeignAccount(grantee: IGrantable, stack: Stack): string | undefined {
  const account = accountOf(grantee)
  const isNamed = account !== undefined && !Token.isUnresolved(account)
  const isOpen = compared(account, stack) === TokenComparison.ONE_UNRESOLVED
  return isNamed && isOpen ? account : undefined
}

function accountOf({ grantPrincipal }: IGrantable): string | undefined {
  return grantPrincipal.principalAccount ?? accountIn(grantPrincipal)
}

function compared(account: string | undefined, { account: own }: Stack): TokenComparison {
  return account === undefined ? TokenComparison.SAME : Token.compareStrings(account, own)
}

/**
 * Lets a principal decrypt one copy by its key: by the principal's own policy, and by the key's where
 * that is not ours to change or belongs to another account.
 *
 * @param name of the secret, not its ARN: the key may not depend on what depends on the key
 */
export function allowDecrypt(
  scope: Construct,
  name: string,
  { arn, region, key }: Copy,
  grantee: IGrantable,
): void {
  if (key === undefined) return
  const { grantPrincipal } = grantee
  const { statementAdded } = grantPrincipal.addToPrincipalPolicy(
    allowSecretKey(['kms:Decrypt'], key, [arn], region),
  )
  if (statementAdded && foreignAccount(grantee, Stack.of(scope)) === undefined) return
  const opened = key.addToResourcePolicy(
    new PolicyStatement({
      principals: [grantPrincipal],
      actions: ['kms:Decrypt'],
      resources: ['*'],
      conditions: {
        StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` },
        // Six characters that Secrets Manager chooses.
        ArnLike: { 'kms:EncryptionContext:SecretARN': secretArn(scope, region, `${name}-??????`) },
      },
    }),
  )
  if (opened.statementAdded) return
  Annotations.of(scope).addWarningV2(
    `token-rotator:key-policy-${region}`,
    `the policy of the imported key in ${region} must let the readers of ${name} use kms:Decrypt through Secrets Manager`,
  )
}

/** The account in the ARN of a principal that does not tell it otherwise. */
function accountIn({ policyFragment }: IPrincipal): string | undefined {
  const [arn] = policyFragment.principalJson.AWS ?? []
  if (typeof arn !== 'string' || Token.isUnresolved(arn)) return undefined
  return /^\d{12}$/.test(arn) ? arn : arn.split(':')[4]
}
