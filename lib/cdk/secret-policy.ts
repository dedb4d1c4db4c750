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

/**
 * The resource policy of one secret: whoever it is reserved to may do what their own policies allow,
 * and nobody else may, administrators and the account's root user included.
 *
 * Never denied is what repairs: to describe and delete the secret, and to read, replace and delete this
 * policy. So CloudFormation can always remove a secret, and an administrator who has locked out
 * everybody can take the policy away, which CloudTrail records.
 */
export class SecretPolicy extends Construct {
  readonly document = new PolicyDocument()
  readonly #readers: string[] = []
  readonly #writers: string[] = []

  constructor(scope: Construct, id: string, secret: CfnSecret) {
    super(scope, id)
    new CfnResourcePolicy(this, 'Resource', {
      secretId: secret.ref,
      resourcePolicy: this.document,
      blockPublicPolicy: true,
    })
  }

  /** Lets a role read the value. From the first call on nobody else may. */
  reserveReading({ roleArn }: Pick<IRole, 'roleArn'>): void {
    if (this.#readers.length === 0) {
      this.#deny('OnlyTheseRead', ['secretsmanager:GetSecretValue'], exceptFor(this.#readers))
    }
    this.#readers.push(roleArn)
  }

  /**
   * Lets a role write the value and move its labels. From the first call on nobody else may; but
   * CloudFormation may use `UpdateSecret`, the one call that changes key, tags and description as well.
   */
  reserveWriting({ roleArn }: Pick<IRole, 'roleArn'>): void {
    if (this.#writers.length === 0) {
      this.#deny(
        'OnlyTheseWrite',
        ['secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage'],
        exceptFor(this.#writers),
      )
      this.#deny('OnlyTheseUpdate', ['secretsmanager:UpdateSecret'], {
        ...exceptFor(this.#writers, deployers(Stack.of(this))),
        'ForAllValues:StringNotEquals': { 'aws:CalledVia': ['cloudformation.amazonaws.com'] },
      })
    }
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

// By a condition, not by NotPrincipal, which would have to name every session of a role as well.
function exceptFor(roles: readonly string[], others: readonly string[] = []) {
  return {
    ArnNotEquals: { 'aws:PrincipalArn': Lazy.list({ produce: () => [...roles, ...others] }) },
  }
}

/** The role that CloudFormation itself works by; without one it works by its caller's, and says so. */
function deployers({ synthesizer }: Stack): string[] {
  if (!(synthesizer instanceof DefaultStackSynthesizer)) return []
  return [Fn.sub(synthesizer.cloudFormationExecutionRoleArn)]
}
