import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import type { Connection } from '../core/connection.ts'
import { decodeConnections } from '../core/decode-connections.ts'
import { ConfigError } from '../core/errors.ts'
import type { VendorTable } from '../core/vendor.ts'

/** The environment of a function; the construct sets it. No value is a secret. */
const Environment = v.object({
  /** Name of the ledger table. */
  TOKEN_ROTATOR_LEDGER_TABLE: v.pipe(v.string(), v.nonEmpty()),
  /** Path of the JSON list of connections. */
  TOKEN_ROTATOR_CONNECTIONS: v.pipe(v.string(), v.nonEmpty()),
  /** Event bus; the account's default one if absent. */
  TOKEN_ROTATOR_EVENT_BUS: v.optional(v.string(), 'default'),
  /** Key for the escrow and mirror parameters; the account's own if absent. */
  TOKEN_ROTATOR_PARAMETER_KEY: v.optional(v.string()),
  /** Every region in which the same connections are deployed, see `readRegions`; one region if absent. */
  TOKEN_ROTATOR_REGIONS: v.optional(v.string()),
  /** The function's own region; Lambda sets it. */
  AWS_REGION: v.optional(v.string()),
})

/** What the environment says. */
export interface Settings {
  readonly ledgerTable: string
  readonly eventBus: string
  readonly parameterKey?: string
  readonly connections: readonly Connection[]
  readonly regions?: RegionNames
}

/** The regions in which the same connections are deployed. */
export interface RegionNames {
  readonly own: string
  /** The one that is at work until another takes over. */
  readonly first: string
  readonly peers: readonly PeerName[]
}

export interface PeerName {
  readonly region: string
  /** Address of its services, if they are all at one, as in local mode. */
  readonly endpoint?: string
}

/**
 * @param only the one vendor whose connections matter; all by default
 * @throws {ConfigError} a variable is missing, or the connections are not as they must be
 */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
  vendors: VendorTable,
  only?: string,
): Settings {
  const decoded = v.safeParse(Environment, environment)
  if (!decoded.success) {
    const name = v.getDotPath(decoded.issues[0]) ?? 'environment'
    throw new ConfigError(
      name,
      'is not set; the stack sets it, a command needs it in its environment',
    )
  }
  const found = decoded.output
  const regions = readRegions(found.TOKEN_ROTATOR_REGIONS, found.AWS_REGION)
  return {
    ...(regions === undefined ? {} : { regions }),
    ledgerTable: found.TOKEN_ROTATOR_LEDGER_TABLE,
    eventBus: found.TOKEN_ROTATOR_EVENT_BUS,
    ...(found.TOKEN_ROTATOR_PARAMETER_KEY === undefined
      ? {}
      : { parameterKey: found.TOKEN_ROTATOR_PARAMETER_KEY }),
    connections: readConnections(found.TOKEN_ROTATOR_CONNECTIONS, vendors, only),
  }
}

/**
 * The list of regions, the same in each of them: names parted by commas, the one that is at work at
 * first before the others; an address may follow as in `eu-west-1=http://127.0.0.1:4566`.
 *
 * @throws {ConfigError} a list without the own region, or of odd names
 */
export function readRegions(list: string | undefined, own: string | undefined) {
  if (list === undefined || list.trim() === '') return undefined
  const named = list.split(',').map((entry) => {
    const [, region, endpoint] =
      /^\s*([a-z]{2}(?:-[a-z0-9]+)+)(?:=(https?:\S+))?\s*$/.exec(entry) ?? []
    if (region === undefined) {
      throw new ConfigError(
        'TOKEN_ROTATOR_REGIONS',
        'allowed are names of regions, parted by commas',
      )
    }
    return { region, ...(endpoint === undefined ? {} : { endpoint }) }
  })
  const [first] = named
  const names = named.map(({ region }) => region)
  if (first === undefined || own === undefined || !names.includes(own)) {
    throw new ConfigError(
      'TOKEN_ROTATOR_REGIONS',
      `is ${names.join(', ')}, without the region that this is (${own ?? 'AWS_REGION is not set'}); allowed is the same list in each of its regions`,
    )
  }
  if (new Set(names).size < names.length) {
    throw new ConfigError('TOKEN_ROTATOR_REGIONS', `is ${names.join(', ')}; allowed is each once`)
  }
  return { own, first: first.region, peers: named.filter(({ region }) => region !== own) }
}

/** @throws {ConfigError} no file, not JSON, or not a list of connections */
export function readConnections(path: string, vendors: VendorTable, only?: string): Connection[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    throw new ConfigError(path, 'cannot be read; allowed is a JSON file of connections')
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new ConfigError(path, 'is not JSON; allowed is a JSON file of connections')
  }
  return decodeConnections(json, vendors, only)
}
