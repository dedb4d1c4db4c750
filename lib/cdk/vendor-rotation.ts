import { join } from 'node:path'
import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import type { IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import type { IEventBus } from 'aws-cdk-lib/aws-events'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  Architecture,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { IScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { Connection } from '../core/connection.ts'
import { dueIndex, ledgerTableName } from '../core/documents.ts'
import type { Vendor } from '../core/vendor.ts'
import { connectionsPath, functionCode } from './function-code.ts'
import type { Ledger } from './ledger.ts'
import { MinuteSchedule } from './minute-schedule.ts'
import { NativeRotation } from './native-rotation.ts'
import { peerPermissions, peerRoleArns, regionsVariable, roleName } from './peer-permissions.ts'
import {
  allow,
  allowItems,
  allowParameterKey,
  allowSecretKey,
  inStatements,
  keyActions,
  parameterArn,
  secretArn,
} from './permissions.ts'
import type { RotatedConnection } from './rotated-connection.ts'
import { VpcAccess } from './vpc-access.ts'

/** What every function has in common. */
export interface Surroundings {
  readonly ledger: Ledger
  readonly eventBus: IEventBus
  readonly group: IScheduleGroup
  readonly deadLetters: IQueue
  /** Folder with one folder of built code per vendor. */
  readonly assets: string
  readonly encryptionKey?: IKey
  readonly escrowKey?: IKey
  readonly logEncryptionKey?: IKey
  readonly logRetention?: RetentionDays
  readonly tracing?: boolean
  /** Every region of the installation; none if there is just one. */
  readonly regions?: readonly string[]
}

export interface VendorRotationProps {
  readonly vendor: Vendor
  /** Connections of this vendor, of one network, and no other's. */
  readonly connections: readonly RotatedConnection[]
  readonly surroundings: Surroundings
  /** The network to run in; outside any by default. */
  readonly network?: { readonly vpc: IVpc; readonly vpcSubnets?: SubnetSelection }
}

/** One vendor's function, its schedule and what it may touch: its own connections and nothing else. */
export class VendorRotation extends Construct {
  readonly vendor: Vendor
  readonly connections: readonly Connection[]
  readonly function: LambdaFunction
  readonly logGroup: LogGroup

  /** @throws {ConfigError} the functions have not been built */
  constructor(scope: Construct, id: string, props: VendorRotationProps) {
    super(scope, id)
    const { vendor, connections, surroundings, network } = props
    const { ledger, eventBus, escrowKey, logEncryptionKey, deadLetters } = surroundings
    this.vendor = vendor
    this.connections = connections.map(({ connection }) => connection)

    this.logGroup = new LogGroup(this, 'Log', {
      retention: surroundings.logRetention ?? RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(logEncryptionKey === undefined ? {} : { encryptionKey: logEncryptionKey }),
    })
    const { region } = Stack.of(this)
    const regions = surroundings.regions ?? []
    const peers = regions.filter((each) => each !== region)
    const role = new Role(this, 'Role', {
      ...(peers.length === 0 ? {} : { roleName: roleName(id, region) }),
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Rotates the connections of ${vendor.title}, and touches nothing else`,
    })
    this.logGroup.grantWrite(role)
    eventBus.grantPutEventsTo(role)
    role.addToPolicy(
      allowItems(['dynamodb:GetItem', 'dynamodb:PutItem'], ledger.tableArn, vendor.id),
    )
    // What is due by the index, and for the metrics the items themselves.
    for (const queried of [ledger.tableArn, `${ledger.tableArn}/index/${dueIndex}`]) {
      role.addToPolicy(allowItems(['dynamodb:Query'], queried, vendor.id))
    }
    role.addToPolicy(allow(['sqs:SendMessage'], deadLetters.queueArn))
    for (const connection of connections) {
      connection.grantRotate(role, peerRoleArns(this, id, peers))
    }
    for (const statement of peerPermissions(this, {
      vendor: vendor.id,
      connections: this.connections.map((connection) => connection.id),
      ledgerTable: ledgerTableName,
      peers,
    })) {
      role.addToPolicy(statement)
    }
    allowKeys(role, connections, surroundings)
    const vpcAccess = network === undefined ? undefined : new VpcAccess(this, 'Vpc', role)

    this.function = new LambdaFunction(this, 'Function', {
      description: `Renews what is due at ${vendor.title}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: functionCode(this, join(surroundings.assets, vendor.id), this.connections),
      handler: `${vendor.id}.handler`,
      // A grant that spends a refresh token waits for its answer as long as it can.
      timeout: Duration.minutes(5),
      // Memory is never the limit; it buys the share of a CPU that a TLS handshake takes its time from.
      memorySize: 512,
      // The next tick is the retry: a repetition by Lambda would be a second run beside it. Nothing is
      // reserved of the account's concurrency: the lease absorbs duplicates, and a function that may
      // run once at a time would let one slow host hold up every other connection for five minutes.
      retryAttempts: 0,
      maxEventAge: Duration.minutes(1),
      // The role may send already, and CDK's own destination would let it ask for more.
      onFailure: { bind: () => ({ destination: deadLetters.queueArn }) },
      role,
      logGroup: this.logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: surroundings.tracing === true ? Tracing.ACTIVE : Tracing.DISABLED,
      environment: {
        TOKEN_ROTATOR_LEDGER_TABLE: ledger.tableName,
        TOKEN_ROTATOR_CONNECTIONS: connectionsPath,
        TOKEN_ROTATOR_EVENT_BUS: eventBus.eventBusName,
        ...regionsVariable(regions),
        ...(escrowKey === undefined ? {} : { TOKEN_ROTATOR_PARAMETER_KEY: escrowKey.keyArn }),
      },
      ...network,
    })
    vpcAccess?.denyTo(this.function)
    Validations.of(this.function).acknowledge({
      id: 'Serverless-LambdaDLQ',
      reason:
        'Its on-failure destination takes the same events to a queue, and says why they failed',
    })
    if (surroundings.tracing === true) {
      Validations.of(role).acknowledge({
        id: 'AwsSolutions-IAM5[Resource::*]',
        reason: 'X-Ray knows no resource for PutTraceSegments and PutTelemetryRecords',
      })
    } else {
      Validations.of(this.function).acknowledge({
        id: 'Serverless-LambdaTracing',
        reason:
          'Logs and metrics tell every outcome; a trace of each minute is for who asks for it',
      })
    }

    new NativeRotation(this, 'NativeRotation', {
      function: this.function,
      consumerSecrets: Object.fromEntries(
        connections.map(({ connection, accessToken }) => [connection.id, accessToken.ref]),
      ),
    })
    new MinuteSchedule(this, 'Schedule', {
      function: this.function,
      description: `Ticks ${vendor.title} once a minute; the ledger knows what is due`,
      group: surroundings.group,
      deadLetters,
    })
  }
}

/**
 * Lets a role use customers' keys for the secrets and parameters of its own connections. Without them no
 * statement names a key: whoever may use a secret or an encrypted parameter of the same account may use
 * AWS's own keys `aws/secretsmanager` and `aws/ssm` through that service.
 */
function allowKeys(
  role: Role,
  connections: readonly RotatedConnection[],
  { encryptionKey, escrowKey }: Surroundings,
): void {
  const { region } = role.env
  for (const some of inStatements(connections)) {
    const names = some.map(({ connection }) => `token-rotator/${connection.id}/*`)
    if (encryptionKey !== undefined) {
      const secrets = names.map((name) => secretArn(role, region, name))
      role.addToPolicy(allowSecretKey(keyActions, encryptionKey, secrets, region))
    }
    if (escrowKey !== undefined) {
      const parameters = names.map((name) => parameterArn(role, name))
      const actions = ['kms:Encrypt', ...keyActions]
      role.addToPolicy(allowParameterKey(actions, escrowKey, parameters, region))
    }
  }
}
