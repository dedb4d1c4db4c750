import type { IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import type { IEventBus } from 'aws-cdk-lib/aws-events'
import type { IGrantable, IRole } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { ReplicaRegion } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { ConnectionProps } from '../core/connection.ts'

export interface TokenRotatorProps {
  /** What is rotated: the objects of `connections.json`, without any credential; one or more. */
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
  /**
   * Which subnets of `vpc` the functions stand in, in at least two zones if one may fail. Without `vpc` it
   * is of no effect.
   *
   * @default the private subnets of `vpc`; a network that has none is refused
   */
  readonly vpcSubnets?: SubnetSelection
  /**
   * Customer-managed key of all secrets. The functions, and whoever is granted to read, may use it
   * through Secrets Manager for their own secrets only. Readers in other accounts need it.
   *
   * @default secrets are encrypted under the account's `aws/secretsmanager`, which no other account can use
   */
  readonly encryptionKey?: IKey
  /**
   * Customer-managed key of the escrow and mirror parameters. Another one than `encryptionKey`: the
   * escrow takes a token pair that Secrets Manager did not take, perhaps because of its key.
   *
   * @default parameters are encrypted under the account's `aws/ssm`
   */
  readonly escrowKey?: IKey
  /**
   * Customer-managed key of the functions' logs. A key that is imported must itself let CloudWatch Logs
   * of this region use it.
   *
   * @default logs are encrypted under a key of CloudWatch's own
   */
  readonly logEncryptionKey?: IKey
  /**
   * How long logs are kept, in days.
   *
   * @default a line of a log is deleted after a month
   */
  readonly logRetention?: RetentionDays
  /**
   * Whether AWS X-Ray gets a trace of every tick.
   *
   * @default false: no traces
   */
  readonly tracing?: boolean
  /**
   * Where alarms are sent, when they are raised and when they are over. The key of an encrypted topic is
   * opened to CloudWatch, if it is known here and its policy can be changed.
   *
   * @default alarms are raised, and nobody is told
   */
  readonly alarmTopic?: ITopic
  /**
   * Where a person is told of each incident in words, once.
   *
   * @default messages go to `alarmTopic`; without it nobody is told
   */
  readonly incidentTopic?: ITopic
  /**
   * Bus on which programs are told of rotations and incidents, and from which people are.
   *
   * @default events go to the account's default bus
   */
  readonly eventBus?: IEventBus
  /**
   * Whether Secrets Manager's own rotation is configured on the consumer secrets, for "Rotate now" and for
   * auditors. Nothing is renewed by it that would not be renewed without. AWS tries it at the deployment
   * that configures it; if that fails for it, deploy without first and enroll.
   *
   * @default true: it is configured with the secrets, before they have a value
   */
  readonly nativeRotation?: boolean
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
   * connection; and where a connection names no `readers`, these are named to whoever is told of an incident.
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
   * Folder of the built functions, with one folder for each vendor's.
   *
   * @default the functions that come with the package are deployed; in the repository, what `npm run build` has made
   */
  readonly assets?: string
}
