import { fileURLToPath } from 'node:url'
import { Annotations, RemovalPolicy, Stack, Token } from 'aws-cdk-lib'
import { EventBus } from 'aws-cdk-lib/aws-events'
import type { Role } from 'aws-cdk-lib/aws-iam'
import { ScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import { Construct, type IConstruct } from 'constructs'
import { checkCadence } from '../core/cadence.ts'
import type { Connection } from '../core/connection.ts'
import { decodeConnections } from '../core/decode-connections.ts'
import { ConfigError } from '../core/errors.ts'
import type { Vendor } from '../core/vendor.ts'
import { vendors } from '../vendors/index.ts'
import { DeadLetters } from './dead-letters.ts'
import { EnrollRole } from './enroll-role.ts'
import { Ledger } from './ledger.ts'
import { openToLogs } from './log-key.ts'
import { Observability } from './observability.ts'
import { type Network, placement } from './placement.ts'
import { RotatedConnection } from './rotated-connection.ts'
import type { TokenRotatorProps } from './token-rotator-props.ts'
import { type Surroundings, VendorRotation } from './vendor-rotation.ts'

/**
 * Keeps the tokens of security products fresh: two secrets per connection, one ledger, and for each
 * vendor in use a function that is invoked once a minute; two of them where some of its connections are
 * reached from the VPC and others are not.
 *
 * @example
 * const rotator = new TokenRotator(this, 'Rotator', {
 *   connections: [{ id: 'mdr-prod', vendor: 'kaspersky-mdr' }],
 * })
 * rotator.connection('mdr-prod').grantRead(workload)
 */
export class TokenRotator extends Construct {
  readonly ledger: Ledger
  /** What is configured, decoded. */
  readonly connections: readonly Connection[]
  /** The functions, one for each vendor and network in use. */
  readonly rotations: readonly VendorRotation[]
  readonly deadLetters: DeadLetters
  /**
   * The role to run `enroll`, `rotate`, `take-over` and `status` by, for every connection: of whom the
   * account lets assume it. Grant that by `enrollRole.grantAssumeRole(person)`, or by a policy of theirs.
   */
  readonly enrollRole: Role
  readonly #connections: ReadonlyMap<string, RotatedConnection>

  /** @throws {ConfigError} a mistake in the configuration, with the field, what was found and what is allowed */
  constructor(scope: Construct, id: string, props: TokenRotatorProps) {
    super(scope, id)
    const isOther = (node: IConstruct) => node instanceof TokenRotator && node !== this
    if (Stack.of(this).node.findAll().some(isOther)) {
      throw new ConfigError(
        'TokenRotator',
        'found two; allowed is one in an account and region, with all its connections: the names of ledger and secrets are fixed',
      )
    }
    this.connections = decodeConnections(props.connections, vendors)
    for (const [index, connection] of this.connections.entries()) {
      const warning = checkCadence(connection, vendorOf(connection), `connections[${index}]`)
      if (warning !== undefined) {
        Annotations.of(this).addWarningV2(`token-rotator:cadence-${connection.id}`, warning)
      }
    }
    const groups = this.#groups(props)
    checkProps(props, Stack.of(this).region)

    this.ledger = new Ledger(this, 'Ledger')
    // Apart from the vendors' constructs, so that a connection keeps its secrets whatever becomes of those.
    const scopeOfConnections = new Construct(this, 'Connections')
    this.#connections = new Map(
      this.connections.map((connection) => [
        connection.id,
        new RotatedConnection(scopeOfConnections, {
          ...props,
          connection,
          ledger: this.ledger,
        }),
      ]),
    )
    this.enrollRole = new EnrollRole(this, 'EnrollRole', {
      ...props,
      connections: [...this.#connections.values()],
      ledger: this.ledger,
    })
    this.deadLetters = new DeadLetters(this, 'DeadLetters', props)
    if (props.logEncryptionKey !== undefined) openToLogs(props.logEncryptionKey, Stack.of(this))

    const surroundings: Surroundings = {
      assets: builtAssets,
      ...props,
      ledger: this.ledger,
      eventBus: props.eventBus ?? EventBus.fromEventBusName(this, 'EventBus', 'default'),
      group: new ScheduleGroup(this, 'Schedules', { removalPolicy: RemovalPolicy.DESTROY }),
      deadLetters: this.deadLetters.queue,
    }
    this.rotations = groups.map(({ vendor, network, ids }) => {
      const { vpc, vpcSubnets } = props
      return new VendorRotation(this, network === 'vpc' ? `${vendor.id}-vpc` : vendor.id, {
        vendor,
        connections: ids.map((each) => this.connection(each)),
        surroundings,
        ...(network === 'vpc' && vpc !== undefined
          ? { network: { vpc, ...(vpcSubnets === undefined ? {} : { vpcSubnets }) } }
          : {}),
      })
    })

    new Observability(this, 'Observability', {
      ...props,
      connections: this.connections,
      functions: Object.fromEntries(this.rotations.map((each) => [each.node.id, each.function])),
      eventBus: surroundings.eventBus,
      deadLetterQueue: this.deadLetters.queue,
    })

    for (const [each, grantees] of Object.entries(props.consumers ?? {})) {
      for (const grantee of grantees) this.#find(each, 'consumers').grantRead(grantee)
    }
  }

  /**
   * A connection, to be granted to those who read its token or enroll its credential.
   *
   * @throws {ConfigError} no such connection
   */
  connection(id: string): RotatedConnection {
    return this.#find(id, 'connection')
  }

  #find(id: string, field: string): RotatedConnection {
    const found = this.#connections.get(id)
    if (found !== undefined) return found
    throw new ConfigError(
      field,
      `found '${id}'; allowed are ${[...this.#connections.keys()].join(', ')}`,
    )
  }

  /** What shares a function: the connections of one vendor that are reached from one network. */
  #groups({ vpc }: TokenRotatorProps) {
    const groups = new Map<string, { vendor: Vendor; network: Network; ids: string[] }>()
    for (const [index, connection] of this.connections.entries()) {
      const vendor = vendorOf(connection)
      const at = `connections[${index}]`
      const network = placement(connection, vendor, { at, hasVpc: vpc !== undefined })
      const key = `${vendor.id} ${network}`
      const group = groups.get(key) ?? { vendor, network, ids: [] }
      group.ids.push(connection.id)
      groups.set(key, group)
    }
    return [...groups.values()]
  }
}

// Compiled, this file lies in `dist` itself.
const builtAssets = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/assets' : '../../assets', import.meta.url),
)

/** What no single prop shows. */
function checkProps(props: TokenRotatorProps, own: string): void {
  const { replicaRegions = [], encryptionKey, escrowKey, regions } = props
  if (regions !== undefined && (!regions.includes(own) || new Set(regions).size < regions.length)) {
    const stack = Token.isUnresolved(own) ? 'a stack whose env names no region' : own
    throw new ConfigError(
      'regions',
      `found ${regions.join(', ') || 'none'} in ${stack}; allowed is every region of the installation, each once, with that of the stack among them`,
    )
  }
  const replicas = replicaRegions.map(({ region }) => region)
  const wrong = replicas.find((region, index) => region === own || replicas.indexOf(region) < index)
  if (wrong !== undefined) {
    throw new ConfigError(
      'replicaRegions',
      `found ${wrong}${wrong === own ? ', where the secrets themselves are' : ' twice'}; allowed are other regions, each once`,
    )
  }
  if (escrowKey !== undefined && escrowKey.keyArn === encryptionKey?.keyArn) {
    throw new ConfigError(
      'escrowKey',
      'found the key of the secrets; allowed is another: the escrow is for the day on which that one fails',
    )
  }
}

function vendorOf({ vendor }: Connection): Vendor {
  // Decoding has refused every vendor that is not in the table.
  return vendors[vendor] as Vendor
}
