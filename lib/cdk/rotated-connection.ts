import { RemovalPolicy, Resource, Validations } from 'aws-cdk-lib'

import {
  type AddToResourcePolicyResult,
  Grant,
  type IGrantable,
  type IRole,
  type PolicyStatement,
} from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { CfnSecret, type ISecret, type ReplicaRegion, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import type { Connection } from '../core/connection.ts'
import { consumerSecretId, enrollmentSecretId } from '../core/documents.ts'
import { ConfigError } from '../core/errors.ts'
import { mirrorName } from '../core/publish.ts'
import { escrowName } from '../core/read-held.ts'
import { allowEnrolling } from './enrolling.ts'
import type { Ledger } from './ledger.ts'
import { allow, parameterArn, secretArn } from './permissions.ts'
import { allowDecrypt, copiesOf, foreignAccount } from './reader.ts'
import { SecretPolicy } from './secret-policy.ts'

export interface RotatedConnectionProps {
  readonly connection: Connection
  readonly ledger: Ledger
  readonly encryptionKey?: IKey
  readonly replicaRegions?: readonly ReplicaRegion[]
  readonly breakGlassRole?: IRole
  /** Every region of the installation; none if there is just one. */
  readonly regions?: readonly string[]
}

const reading = ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue']
const writing = [
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
  'secretsmanager:DescribeSecret',
]

/**
 * One connection: its two secrets, empty, and who may do what with them. Only `enroll` and the rotator
 * give them values.
 *
 *     enrollment secret    read by the rotator's function and the break-glass role alone; written by
 *                          those two and by roles that enroll
 *     consumer secret      written by the first two alone; read by whom it is granted to
 *
 * The secrets are plain CloudFormation resources because `Secret` would make up a random value, and any
 * value in a template is written again over the live one when the template changes. Both outlive the
 * stack: a refresh token that is deleted cannot be had again without a person at the vendor's console.
 */
export class RotatedConnection extends Resource {
  readonly connection: Connection
  /** What workloads read. To let one read it, `grantRead` of the connection also knows its key. */
  readonly secret: ISecret
  /** Credentials and the held pair. Only the rotator reads it. */
  readonly enrollment: CfnSecret
  readonly accessToken: CfnSecret
  readonly #props: RotatedConnectionProps
  readonly #enrollmentPolicy: SecretPolicy
  readonly #accessTokenPolicy: SecretPolicy

  constructor(scope: Construct, props: RotatedConnectionProps) {
    const { connection, encryptionKey, replicaRegions = [], breakGlassRole } = props
    super(scope, connection.id)
    this.#props = props
    this.connection = connection
    const common = {
      tags: [
        { key: 'token-rotator:connection', value: connection.id },
        { key: 'token-rotator:vendor', value: connection.vendor },
      ],
      ...(encryptionKey === undefined ? {} : { kmsKeyId: encryptionKey.keyArn }),
    }
    this.enrollment = new CfnSecret(this, 'Enrollment', {
      name: enrollmentSecretId(connection.id),
      description: `Credentials and refresh token of ${connection.id}. Only token-rotator reads and writes it.`,
      ...common,
    })
    this.accessToken = new CfnSecret(this, 'AccessToken', {
      name: consumerSecretId(connection.id),
      description: `Living access token of ${connection.id}, written by token-rotator.`,
      ...common,
      ...(replicaRegions.length === 0
        ? {}
        : {
            replicaRegions: replicaRegions.map(({ region, encryptionKey: key }) => ({
              region,
              ...(key === undefined ? {} : { kmsKeyId: key.keyArn }),
            })),
          }),
    })
    for (const secret of [this.enrollment, this.accessToken]) {
      secret.applyRemovalPolicy(RemovalPolicy.RETAIN)
    }
    Validations.of(this.enrollment).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'Rotated by token-rotator as its tokens demand; each version has one possible successor, and a version of native rotation would be a second',
    })
    const spared = breakGlassRole === undefined ? {} : { breakGlassRole }
    this.#enrollmentPolicy = new SecretPolicy(this, 'EnrollmentPolicy', {
      secret: this.enrollment,
      isReadingDenied: true,
      ...spared,
    })
    this.#accessTokenPolicy = new SecretPolicy(this, 'AccessTokenPolicy', {
      secret: this.accessToken,
      isReadingDenied: false,
      ...spared,
    })
    this.secret = Secret.fromSecretAttributes(this, 'Readable', {
      secretCompleteArn: this.accessToken.ref,
      ...(encryptionKey === undefined ? {} : { encryptionKey }),
    })
  }

  /**
   * Lets a principal read the consumer secret and its replicas, and use their keys for that: nothing
   * else of this connection, and nothing of any other. One of another account gets the resource policy
   * and the key's policy; what its own account must allow is for that account to say.
   *
   * @throws {ConfigError} a principal of another account, while a secret is under a key of AWS's own
   */
  grantRead(grantee: IGrantable): Grant {
    const { connection, encryptionKey, replicaRegions = [] } = this.#props
    const copies = copiesOf(this.accessToken, encryptionKey, replicaRegions)
    const account = foreignAccount(grantee, this.stack)
    if (account !== undefined && copies.some(({ key }) => key === undefined)) {
      throw new ConfigError(
        `consumers.${connection.id}`,
        `found a reader in account ${account}; allowed with encryptionKey, and a key for each of replicaRegions: the key aws/secretsmanager cannot be shared with another account`,
      )
    }
    const grant = Grant.addToPrincipalOrResource({
      grantee,
      actions: reading,
      resourceArns: copies.map(({ arn }) => arn),
      resourceSelfArns: ['*'],
      resource: this,
    })
    const name = consumerSecretId(connection.id)
    for (const copy of copies) allowDecrypt(this, name, copy, grantee)
    return grant
  }

  /**
   * Lets a role of one's own run `enroll`, `rotate`, `take-over` and `status` for this connection, and
   * nothing else: it writes the enrollment secret without ever reading it. Beside such roles and the
   * break-glass role, the rotator's `enrollRole` alone may, which has the same for every connection. In
   * an installation of several regions, grant it to the same role in each.
   */
  grantEnroll(role: IRole): void {
    allowEnrolling(role, [this], this.#props)
    this.letEnroll(role)
  }

  /** Takes a role out of the denial to write the enrollment secret. It is granted nothing by that. */
  letEnroll(role: Pick<IRole, 'roleArn'>): void {
    this.#enrollmentPolicy.letWrite(role)
  }

  /**
   * Makes a function's role the one that rotates this connection: what the adapters call, and no more.
   * Customer keys are allowed for many connections at once, by `allowKeys`.
   *
   * @param peers ARNs of the roles that do the same in other regions
   */
  grantRotate(role: IRole, peers: readonly string[] = []): void {
    const { id } = this.connection
    const escrow = parameterArn(this, escrowName(id))
    const mirror = parameterArn(this, mirrorName(id))
    for (const statement of [
      allow(['secretsmanager:GetSecretValue', ...writing], this.enrollmentArn),
      // Read by the step of a native rotation that tests a token: not every token is held elsewhere.
      allow(
        ['secretsmanager:GetSecretValue', ...writing],
        this.#arnOf(this.accessToken, consumerSecretId(id)),
      ),
      allow(['ssm:GetParameter', 'ssm:PutParameter', 'ssm:DeleteParameter'], escrow),
      allow(['ssm:PutParameter'], mirror),
    ]) {
      role.addToPrincipalPolicy(statement)
    }
    // Whoever takes over reads the newest pair and goes on from it, and a replica brings this policy along.
    for (const roleArn of [role.roleArn, ...peers]) {
      this.#enrollmentPolicy.letRead({ roleArn })
      this.#enrollmentPolicy.letWrite({ roleArn })
      this.#accessTokenPolicy.letWrite({ roleArn })
    }
  }

  /** ARN of the enrollment secret, as policies of identities name it. */
  get enrollmentArn(): string {
    return this.#arnOf(this.enrollment, enrollmentSecretId(this.connection.id))
  }

  /** Adds to the policy of the consumer secret. */
  addToResourcePolicy(statement: PolicyStatement): AddToResourcePolicyResult {
    this.#accessTokenPolicy.document.addStatements(statement)
    return { statementAdded: true, policyDependable: this.#accessTokenPolicy }
  }

  /**
   * A secret's whole ARN with its random end: a pattern would also match one of a longer name. But a
   * replica that takes a secret's place brings the end of its original along.
   */
  #arnOf(secret: CfnSecret, name: string): string {
    const { regions = [] } = this.#props
    return regions.length < 2 ? secret.ref : secretArn(this, this.env.region, `${name}-??????`)
  }
}
