import { DefaultStackSynthesizer, Fn, Lazy, Stack } from 'aws-cdk-lib'
import {
  AnyPrincipal,
  Effect,
  type IRole,
  PolicyDocument,
  PolicyStatement,
} from 'aws-cdk-lib/aws-iam'
import { CfnResourcePolicy, type CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'

type Arn = Pick<IRole, 'roleArn'>

export interface SecretPolicyProps {
  readonly secret: CfnSecret
  /** Whether reading is denied like writing, and no rotation of AWS's own can be set up. */
  readonly isReadingDenied: boolean
  /** The role that is spared every denial. */
  readonly breakGlassRole?: Arn
}

/**
 * The resource policy of one secret: whoever is let may do what their own policies allow, and nobody
 * else may, administrators and the account's root user included.
 *
 * Never denied is what repairs: to describe and delete the secret, to replicate it with this policy, to
 * cancel a rotation, and to read, replace and delete this policy. So CloudFormation can always remove a
 * secret, and an administrator who has locked out everybody can take the policy away, which CloudTrail
 * records.
 */
export class SecretPolicy extends Construct {
  readonly document = new PolicyDocument()
  readonly #readers: string[] = []
  readonly #writers: string[] = []

  constructor(scope: Construct, id: string, props: SecretPolicyProps) {
    super(scope, id)
    const { secret, isReadingDenied, breakGlassRole } = props
    const spared = breakGlassRole === undefined ? [] : [breakGlassRole.roleArn]
    this.#readers.push(...spared)
    this.#writers.push(...spared)
    if (isReadingDenied) {
      this.#deny('OnlyTheseRead', ['secretsmanager:GetSecretValue'], exceptLater(this.#readers))
      // A rotation begins with an empty version of AWS's choosing, and by whichever function it names.
      this.#deny('NobodyRotates', ['secretsmanager:RotateSecret'], exceptFor(spared))
    }
    this.#deny(
      'OnlyTheseWrite',
      ['secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage'],
      exceptLater(this.#writers),
    )
    // The one call that changes key and description as well as the value: left to deployments.
    this.#deny('OnlyDeploymentsUpdate', ['secretsmanager:UpdateSecret'], {
      ...exceptFor([...spared, ...deployers(Stack.of(this))]),
      'ForAllValues:StringNotEquals': { 'aws:CalledVia': ['cloudformation.amazonaws.com'] },
    })
    new CfnResourcePolicy(this, 'Resource', {
      secretId: secret.ref,
      resourcePolicy: this.document,
      blockPublicPolicy: true,
    })
  }

  /** Lets a role read the value. */
  letRead({ roleArn }: Arn): void {
    if (!this.#readers.includes(roleArn)) this.#readers.push(roleArn)
  }

  /** Lets a role write the value and move its labels. */
  letWrite({ roleArn }: Arn): void {
    if (!this.#writers.includes(roleArn)) this.#writers.push(roleArn)
  }

  #deny(sid: string, actions: string[], conditions: Record<string, unknown>): void {
    this.document.addStatements(
      new PolicyStatement({
        sid,
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions,
        resources: ['*'],
        conditions,
      }),
    )
  }
}

// By a condition, not by NotPrincipal, which would have to name every session of a role as well. Without
// anybody to spare there is none: an empty list would be refused.
function exceptFor(roles: readonly string[]): Record<string, unknown> {
  return roles.length === 0 ? {} : { ArnNotEquals: { 'aws:PrincipalArn': roles } }
}

/** The same for roles that are still to come. */
function exceptLater(roles: readonly string[]): Record<string, unknown> {
  return { ArnNotEquals: { 'aws:PrincipalArn': Lazy.list({ produce: () => [...roles] }) } }
}

/** The role that CloudFormation itself works by; without one it works by its caller's, and says so. */
function deployers({ synthesizer }: Stack): string[] {
  if (!(synthesizer instanceof DefaultStackSynthesizer)) return []
  return [Fn.sub(synthesizer.cloudFormationExecutionRoleArn)]
}
