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
})

/** What the environment says. */
export interface Settings {
  readonly ledgerTable: string
  readonly eventBus: string
  readonly parameterKey?: string
  readonly connections: readonly Connection[]
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
  return {
    ledgerTable: found.TOKEN_ROTATOR_LEDGER_TABLE,
    eventBus: found.TOKEN_ROTATOR_EVENT_BUS,
    ...(found.TOKEN_ROTATOR_PARAMETER_KEY === undefined
      ? {}
      : { parameterKey: found.TOKEN_ROTATOR_PARAMETER_KEY }),
    connections: readConnections(found.TOKEN_ROTATOR_CONNECTIONS, vendors, only),
  }
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
