import { randomUUID } from 'node:crypto'
import { readConnections } from '../aws/environment.ts'
import { awsPorts } from '../aws/ports.ts'
import type { Connection } from '../core/connection.ts'
import { ledgerTableName } from '../core/documents.ts'
import { ConfigError, isRotatorError } from '../core/errors.ts'
import type { Ports, Run } from '../core/run.ts'
import { vendors } from '../vendors/index.ts'
import { UsageError } from './arguments.ts'

/** Options of every command that works on a deployed rotator. */
export const operatorArguments = {
  connections: {
    type: 'string',
    default: 'connections.json',
    valueHint: 'file',
    description: 'the deployed list of connections',
  },
  table: {
    type: 'string',
    default: ledgerTableName,
    valueHint: 'name',
    description: 'the ledger table',
  },
} as const

/** The same, of a command that works on one connection. */
export const connectionArguments = {
  connection: { type: 'positional', required: true, description: 'id of a configured connection' },
  ...operatorArguments,
} as const

/** What those options lead to. Region and credentials are those of the AWS command line. */
export interface Operator {
  readonly connections: readonly Connection[]
  readonly ports: Ports
  /** A run for one connection. @throws {UsageError} no such connection */
  readonly run: (connection: string) => Run
}

// A command is not a Lambda, but it takes the same lease, and must give it up as surely.
const commandSeconds = 60

/** @throws {UsageError} the connections cannot be read, in one line */
export function operate(args: { connections: string; table: string }): Operator {
  const ports = awsPorts({ ledgerTable: args.table, eventBus: 'default' })
  const connections = load(args.connections)
  return {
    connections,
    ports,
    run(id) {
      const connection = connections.find((candidate) => candidate.id === id)
      const vendor = connection === undefined ? undefined : vendors[connection.vendor]
      if (connection === undefined || vendor === undefined) {
        const known = connections.map((candidate) => candidate.id).join(', ')
        throw new UsageError(`connection '${id}' is not configured; allowed are ${known}`)
      }
      const end = performance.now() + commandSeconds * 1000
      const remainingSeconds = () => (end - performance.now()) / 1000
      return { connection, vendor, runId: randomUUID(), remainingSeconds }
    },
  }
}

function load(path: string): Connection[] {
  try {
    return readConnections(path, vendors)
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message)
    throw error
  }
}

/** Runs a command's work; what an operator can act on becomes one line and exit status 1. */
export async function reported(work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    if (!isRotatorError(error)) throw error
    process.stderr.write(`token-rotator: ${error.message} (${error.code})\n`)
    return 1
  }
}
