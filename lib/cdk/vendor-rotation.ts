import { cpSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Duration, Names, RemovalPolicy, Stack, Stage } from 'aws-cdk-lib'
import type { Table } from 'aws-cdk-lib/aws-dynamodb'
import type { IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import type { IEventBus } from 'aws-cdk-lib/aws-events'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler'
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets'
import { Construct } from 'constructs'
import type { Connection } from '../core/connection.ts'
import { encodeConnection } from '../core/decode-connections.ts'
import { dueIndex } from '../core/documents.ts'
import { ConfigError } from '../core/errors.ts'
import { mirrorName } from '../core/publish.ts'
import { escrowName } from '../core/read-held.ts'
import type { Vendor } from '../core/vendor.ts'
import type { ConnectionSecrets } from './connection-secrets.ts'
import { NativeRotation } from './native-rotation.ts'

/** Where Lambda unpacks an asset. */
const taskRoot = '/var/task'

export interface VendorRotationProps {
  readonly vendor: Vendor
  /** The vendor's own connections, and no other's. */
  readonly connections: readonly { connection: Connection; secrets: ConnectionSecrets }[]
  readonly ledger: Table
  readonly eventBus: IEventBus
  /** Folder with one folder of built code per vendor. */
  readonly assets: string
  readonly vpc?: IVpc
  readonly vpcSubnets?: SubnetSelection
}

/** One vendor's function, its schedule and what it may touch: its own connections and nothing else. */
export class VendorRotation extends Construct {
  readonly function: LambdaFunction

  /** @throws {ConfigError} the functions have not been built */
  constructor(scope: Construct, props: VendorRotationProps) {
    const { vendor, connections, ledger, eventBus, vpc, vpcSubnets } = props
    super(scope, vendor.id)

    const logGroup = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Rotates the connections of ${vendor.title}, and touches nothing else`,
    })
    logGroup.grantWrite(role)
    eventBus.grantPutEventsTo(role)
    for (const statement of [
      ...ledgerStatements(ledger, vendor),
      ...connections.flatMap((each) => connectionStatements(Stack.of(this), each)),
      ...(vpc === undefined ? [] : [networkStatement]),
    ]) {
      role.addToPolicy(statement)
    }

    this.function = new LambdaFunction(this, 'Function', {
      description: `Renews what is due at ${vendor.title}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(layOut(this, props)),
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
      role,
      logGroup,
      environment: {
        TOKEN_ROTATOR_LEDGER_TABLE: ledger.tableName,
        TOKEN_ROTATOR_CONNECTIONS: `${taskRoot}/connections.json`,
        TOKEN_ROTATOR_EVENT_BUS: eventBus.eventBusName,
      },
      ...(vpc === undefined ? {} : { vpc }),
      ...(vpcSubnets === undefined ? {} : { vpcSubnets }),
    })

    new NativeRotation(this, 'NativeRotation', {
      function: this.function,
      consumerSecrets: Object.fromEntries(
        connections.map(({ connection, secrets }) => [connection.id, secrets.accessToken.ref]),
      ),
    })

    new Schedule(this, 'Schedule', {
      description: `Ticks ${vendor.title} once a minute; the ledger knows what is due`,
      schedule: ScheduleExpression.rate(Duration.minutes(1)),
      target: new LambdaInvoke(this.function, {
        retryAttempts: 0,
        maxEventAge: Duration.minutes(1),
      }),
    })
  }
}

/** What is deployed: the vendor's built code and its connections, the same bytes for the same input. */
function layOut(scope: Construct, { vendor, connections, assets }: VendorRotationProps): string {
  const built = join(assets, vendor.id)
  if (!existsSync(built)) throw new ConfigError(built, 'has not been built; run npm run build')
  const folder = join(
    Stage.of(scope)?.assetOutdir ?? '',
    `code.${Names.uniqueResourceName(scope, {})}`,
  )
  rmSync(folder, { recursive: true, force: true })
  cpSync(built, folder, { recursive: true })
  const list = connections.map(({ connection }) => encodeConnection(connection))
  writeFileSync(join(folder, 'connections.json'), `${JSON.stringify(list, null, 2)}\n`)
  return folder
}

function ledgerStatements({ tableArn }: Table, { id }: Vendor): PolicyStatement[] {
  const conditions = {
    'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [id] },
    // "For all values" is also true of no value.
    Null: { 'dynamodb:LeadingKeys': 'false' },
  }
  return [
    new PolicyStatement({
      actions: ['dynamodb:GetItem', 'dynamodb:PutItem'],
      resources: [tableArn],
      conditions,
    }),
    new PolicyStatement({
      actions: ['dynamodb:Query'],
      // What is due by the index, and for the metrics the items themselves.
      resources: [tableArn, `${tableArn}/index/${dueIndex}`],
      conditions,
    }),
  ]
}

/**
 * What the adapters call, and no more. No statement names a key: whoever may use a secret or an
 * encrypted parameter of the same account may use AWS's own keys `aws/secretsmanager` and `aws/ssm`
 * through that service, by the policies of those keys.
 */
function connectionStatements(
  stack: Stack,
  { connection, secrets }: VendorRotationProps['connections'][number],
): PolicyStatement[] {
  const writing = [
    'secretsmanager:PutSecretValue',
    'secretsmanager:UpdateSecretVersionStage',
    'secretsmanager:DescribeSecret',
  ]
  const allow = (resource: string, ...actions: string[]) =>
    new PolicyStatement({ actions, resources: [resource] })
  const parameter = (name: string) =>
    stack.formatArn({
      service: 'ssm',
      resource: 'parameter',
      resourceName: name.replace(/^\//, ''),
    })
  return [
    // The whole ARN with its random end: a pattern would also match a secret of a longer name.
    allow(secrets.enrollment.ref, 'secretsmanager:GetSecretValue', ...writing),
    // Read by the step of a native rotation that tests a token: not every token is held elsewhere.
    allow(secrets.accessToken.ref, 'secretsmanager:GetSecretValue', ...writing),
    allow(
      parameter(escrowName(connection.id)),
      'ssm:GetParameter',
      'ssm:PutParameter',
      'ssm:DeleteParameter',
    ),
    allow(parameter(mirrorName(connection.id)), 'ssm:PutParameter'),
  ]
}

/** A function in a VPC makes its network interfaces itself, and EC2 knows no resource for these calls. */
const networkStatement = new PolicyStatement({
  actions: [
    'ec2:AssignPrivateIpAddresses',
    'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSubnets',
    'ec2:UnassignPrivateIpAddresses',
  ],
  resources: ['*'],
})
