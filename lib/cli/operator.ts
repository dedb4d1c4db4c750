import { randomUUID } from 'node:crypto'
import { readConnections } from '../aws/environment.ts'
import { awsPorts } from '../aws/ports.ts'
import { isAccessDenied } from '../aws/store-error.ts'
import type { Connection } from '../core/connection.ts'
import { ledgerTableName } from '../core/documents.ts'
import { ConfigError, isRotatorError } from '../core/errors.ts'
import type { Ports, Run } from '../core/run.ts'
import { vendors } from '../vendors/index.ts'
import { UsageError } from './arguments.ts'
import { assumeRole } from './assumed-role.ts'

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
  role: {
    type: 'string',
    valueHint: 'arn',
    description: 'the role to work by, such as the EnrollRole that the stack outputs',
  },
} as const

/** The same, of a command that works on one connection. */
export const connectionArguments = {
  connection: { type: 'positional', required: true, description: 'id of a configured connection' },
  ...operatorArguments,
} as const

/** What those options lead to. Region and credentials are those of the AWS command line, or the role's. */
export interface Operator {
  readonly connections: readonly Connection[]
  readonly ports: Ports
  /** A run for one connection. @throws {UsageError} no such connection */
  readonly run: (connection: string) => Run
}

// A command is not a Lambda, but it takes the same lease, and must give it up as surely.
const commandSeconds = 60

interface Options {
  readonly connections: string
  readonly table: string
  readonly role?: string | undefined
}

/**
 * Does a command's work on what its options lead to; what an operator can act on becomes one line and
 * exit status 1.
 *
 * @returns the exit status
 * @throws {UsageError} the connections cannot be read, or the role is none, in one line
 */
export async function operate(
  options: Options,
  work: (operator: Operator) => Promise<number>,
): Promise<number> {
  try {
    return await work(await operatorOf(options))
  } catch (error) {
    if (!isRotatorError(error)) throw error
    const hint =
      options.role === undefined && isAccessDenied(error)
        ? '; give --role with the ARN that the stack outputs as EnrollRole'
        : ''
    process.stderr.write(`token-rotator: ${error.message} (${error.code})${hint}\n`)
    return 1
  }
}

async function operatorOf({ connections: list, table, role }: Options): Promise<Operator> {
  const connections = load(list)
  const credentials = role === undefined ? {} : { credentials: await assumeRole(role) }
  const ports = awsPorts({ ledgerTable: table, eventBus: 'default', ...credentials })
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
