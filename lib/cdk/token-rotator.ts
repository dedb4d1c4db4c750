import { fileURLToPath } from 'node:url'
import { Annotations, RemovalPolicy } from 'aws-cdk-lib'
import {
  AttributeType,
  BillingMode,
  ProjectionType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb'
import type { IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import { EventBus, type IEventBus } from 'aws-cdk-lib/aws-events'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { checkCadence } from '../core/cadence.ts'
import type { Connection, ConnectionProps } from '../core/connection.ts'
import { decodeConnections } from '../core/decode-connections.ts'
import { dueIndex, ledgerTableName } from '../core/documents.ts'
import { ConfigError } from '../core/errors.ts'
import type { Vendor } from '../core/vendor.ts'
import { vendors } from '../vendors/index.ts'
import { ConnectionSecrets } from './connection-secrets.ts'
import { Observability } from './observability.ts'
import { VendorRotation } from './vendor-rotation.ts'

export interface TokenRotatorProps {
  /** What is rotated: the objects of `connections.json`, without any credential. */
  readonly connections: readonly ConnectionProps[]
  /**
   * Network to reach the vendors from, e.g. one with a route to devices on site. It must also reach
   * Secrets Manager, DynamoDB, Systems Manager and EventBridge.
   *
   * @default functions run outside any VPC and reach public addresses only
   */
  readonly vpc?: IVpc
  /** @default private subnets of `vpc` */
  readonly vpcSubnets?: SubnetSelection
  /**
   * Where people and other systems are told.
   *
   * @default the account's default bus
   */
  readonly eventBus?: IEventBus
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
   * Folder of the built functions.
   *
   * @default what `npm run build` has made
   */
  readonly assets?: string
}

/**
 * Keeps the tokens of security products fresh: two secrets per connection, one ledger, and for each
 * vendor in use a function that is invoked once a minute.
 *
 * @example
 * const rotator = new TokenRotator(this, 'TokenRotator', {
 *   connections: [{ id: 'mdr-prod', vendor: 'kaspersky-mdr' }],
 * })
 * rotator.accessToken('mdr-prod').grantRead(workload)
 */
export class TokenRotator extends Construct {
  /** Leases, due times and history of every connection. Holds no secret. */
  readonly ledger: Table
  /** What is configured, decoded. */
  readonly connections: readonly Connection[]
  readonly #secrets = new Map<string, ConnectionSecrets>()

  /** @throws {ConfigError} a mistake in the configuration, with the field, what was found and what is allowed */
  constructor(scope: Construct, id: string, props: TokenRotatorProps) {
    super(scope, id)
    this.connections = decodeConnections(props.connections, vendors)
    for (const [index, connection] of this.connections.entries()) {
      const warning = checkCadence(connection, vendorOf(connection), `connections[${index}]`)
      if (warning !== undefined) {
        Annotations.of(this).addWarningV2(`token-rotator:cadence-${connection.id}`, warning)
      }
    }

    this.ledger = new Table(this, 'Ledger', {
      tableName: ledgerTableName,
      partitionKey: { name: 'vendor', type: AttributeType.STRING },
      sortKey: { name: 'connection', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.AWS_MANAGED,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    this.ledger.addLocalSecondaryIndex({
      indexName: dueIndex,
      sortKey: { name: 'dueAt', type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    })

    // Apart from the vendors' constructs, so that a connection keeps its secrets whatever becomes of those.
    const secrets = new Construct(this, 'Connections')
    for (const connection of this.connections) {
      this.#secrets.set(connection.id, new ConnectionSecrets(secrets, connection))
    }

    const eventBus = props.eventBus ?? EventBus.fromEventBusName(this, 'EventBus', 'default')
    const { vpc, vpcSubnets, assets = builtAssets } = props
    const functions: Record<string, IFunction> = {}
    for (const vendor of new Set(this.connections.map(vendorOf))) {
      const rotation = new VendorRotation(this, {
        vendor,
        connections: this.connections
          .filter((connection) => connection.vendor === vendor.id)
          .map((connection) => ({ connection, secrets: this.#secretsOf(connection.id) })),
        ledger: this.ledger,
        eventBus,
        assets,
        ...(vpc === undefined ? {} : { vpc }),
        ...(vpcSubnets === undefined ? {} : { vpcSubnets }),
      })
      functions[rotation.node.id] = rotation.function
    }
    new Observability(this, 'Observability', {
      ...props,
      connections: this.connections,
      functions,
      eventBus,
    })
  }

  /**
   * The secret that workloads of a connection read.
   *
   * @throws {ConfigError} no such connection
   */
  accessToken(connection: string): ISecret {
    const secrets = this.#secretsOf(connection)
    const id = 'Readable'
    return (
      (secrets.node.tryFindChild(id) as ISecret | undefined) ??
      Secret.fromSecretCompleteArn(secrets, id, secrets.accessToken.ref)
    )
  }

  #secretsOf(connection: string): ConnectionSecrets {
    const found = this.#secrets.get(connection)
    if (found !== undefined) return found
    throw new ConfigError(
      'connection',
      `found '${connection}'; allowed are ${[...this.#secrets.keys()].join(', ')}`,
    )
  }
}

// Compiled, this file lies in `dist` itself.
const builtAssets = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/assets' : '../../assets', import.meta.url),
)

function vendorOf({ vendor }: Connection): Vendor {
  // Decoding has refused every vendor that is not in the table.
  return vendors[vendor] as Vendor
}
