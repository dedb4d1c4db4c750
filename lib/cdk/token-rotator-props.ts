import type { IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import type { IEventBus } from 'aws-cdk-lib/aws-events'
import type { IGrantable, IRole } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { ReplicaRegion } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { ConnectionProps } from '../core/connection.ts'

export interface TokenRotatorProps {
  /** What is rotated: the objects of `connections.json`, without any credential. */
  readonly connections: readonly ConnectionProps[]
  /**
   * Network to reach the vendors from, e.g. one with a route to devices on site. It must also reach
   * Secrets Manager, DynamoDB, Systems Manager and EventBridge (docs/construct.md lists the endpoints by
   * cost). Connections with `network: 'internet'` stay outside it, in a function of their own.
   *
   * @default functions run outside any VPC and reach public addresses only; a connection whose host is
   *   private, or which asks for `network: 'vpc'`, is refused
   */
  readonly vpc?: IVpc
  /** @default private subnets of `vpc` */
  readonly vpcSubnets?: SubnetSelection
  /**
   * Customer-managed key of all secrets. The functions, and whoever is granted to read, may use it
   * through Secrets Manager for their own secrets only. Readers in other accounts need it.
   *
   * @default the account's `aws/secretsmanager`
   */
  readonly encryptionKey?: IKey
  /**
   * Customer-managed key of the escrow and mirror parameters. Another one than `encryptionKey`: the
   * escrow takes a token pair that Secrets Manager did not take, perhaps because of its key.
   *
   * @default the account's `aws/ssm`
   */
  readonly escrowKey?: IKey
  /**
   * Customer-managed key of the functions' logs. A key that is imported must itself let CloudWatch Logs
   * of this region use it.
   *
   * @default a key of CloudWatch Logs's own
   */
  readonly logEncryptionKey?: IKey
  /**
   * How long logs are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays
  /**
   * Whether AWS X-Ray gets a trace of every tick.
   *
   * @default false: no traces
   */
  readonly tracing?: boolean
  /**
   * Where alarms are sent.
   *
   * @default alarms are raised, and nobody is told
   */
  readonly alarmTopic?: ITopic
  /**
   * Where a person is told of each incident in words, once.
   *
   * @default `alarmTopic`
   */
  readonly incidentTopic?: ITopic
  /**
   * Where people and other systems are told of rotations and incidents.
   *
   * @default the account's default bus
   */
  readonly eventBus?: IEventBus
  /**
   * Regions that get a replica of every consumer secret, each with its key there. Enrollment secrets
   * are not replicated.
   *
   * @default no replicas
   */
  readonly replicaRegions?: readonly ReplicaRegion[]
  /**
   * Regions in which the same connections are deployed, this one among them and the one that is at work
   * at first before the others; the same list in every region (docs/regions.md). The roles of
   * functions and of those who enroll then have names, `token-rotator-<vendor>-<region>` and
   * `token-rotator-enroll-<region>`, and the functions may ask each other's ledgers for leave.
   *
   * @default one region, which asks nobody
   */
  readonly regions?: readonly string[]
  /**
   * Who reads the token of which connection, by its id: roles, functions, whole accounts, also of other
   * accounts, for which this sets up the secret's policy and the key's. The same as `grantRead` of each
   * connection.
   *
   * @default nobody but whom `grantRead` is called for, and administrators of the account
   */
  readonly consumers?: Readonly<Record<string, readonly IGrantable[]>>
  /**
   * The role that may read and write every secret beside the rotator, for the day on which nothing else
   * helps. It is spared the denials of the secrets' policies; what it may do is for its own policies to
   * say.
   *
   * @default nobody but the rotator reads an enrollment secret, and nobody but it, `enrollRole` and roles
   *   with `grantEnroll` of a connection write one
   */
  readonly breakGlassRole?: IRole
  /**
   * Folder of the built functions.
   *
   * @default what `npm run build` has made
   */
  readonly assets?: string
}
