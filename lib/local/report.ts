import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'
import type { Connection } from '../core/connection.ts'
import { enrollmentSecretId } from '../core/documents.ts'
import type { LedgerItem } from '../core/ledger.ts'
import { escrowName } from '../core/read-held.ts'
import type { Ports } from '../core/run.ts'
import type { Running, Status } from './status.ts'

/**
 * What a stretch of local mode came to. Counted by the simulators and the readers; the engine is not
 * asked about itself.
 */
export interface Report {
  readonly durationSeconds: number
  /** Token pairs that the vendors issued. */
  readonly rotations: number
  /** Refresh tokens that the vendors were given. */
  readonly spends: number
  /** Of these, presented after they had been used up. */
  readonly doubleSpends: number
  /** Refresh tokens that the vendors issued, would still take, and nobody holds. */
  readonly lostPairs: number
  readonly reads: number
  /** Published tokens that the vendors refused. */
  readonly deadReads: number
  readonly connections: readonly {
    readonly connection: string
    readonly vendor: string
    readonly rotations: number
    readonly state: string
  }[]
}

/** Whether nothing was lost, nothing spent twice, nobody met a dead token, and every connection rotated. */
export function isClean(report: Report): boolean {
  return (
    report.doubleSpends === 0 &&
    report.lostPairs === 0 &&
    report.deadReads === 0 &&
    report.connections.every(({ rotations }) => rotations > 0)
  )
}

export async function makeReport(
  running: readonly Running[],
  ports: Ports,
  connections: readonly Connection[],
  durationSeconds: number,
): Promise<Report> {
  const sum = (count: (one: Running) => number) => running.reduce((all, one) => all + count(one), 0)
  const lost = await Promise.all(running.map((one) => lostPairs(one, ports)))
  const states = await Promise.all(running.map((one) => connectionStatus(one, ports, connections)))
  return {
    durationSeconds: Math.round(durationSeconds * 10) / 10,
    rotations: sum(({ simulator }) => simulator.counters().issued),
    spends: sum(({ simulator }) => simulator.counters().spends),
    doubleSpends: sum(({ simulator }) => simulator.counters().presentedTwice),
    lostPairs: lost.reduce((all, one) => all + one, 0),
    reads: sum(({ reader }) => reader.readings.reads),
    deadReads: sum(({ reader }) => reader.readings.deadReads),
    connections: states.map(({ connection, vendor, rotations, state }) => ({
      connection,
      vendor,
      rotations,
      state,
    })),
  }
}

/** Where a connection stands, from the ledger, the simulator and the reader. */
export async function connectionStatus(
  { id, simulator, reader }: Running,
  ports: Ports,
  connections: readonly Connection[],
): Promise<Status> {
  const vendor = connections.find((connection) => connection.id === id)?.vendor ?? simulator.vendor
  const item = await ports.ledger.read(vendor, id)
  const now = ports.clock.now()
  return {
    connection: id,
    vendor,
    state: stateOf(item, now),
    ...(item?.published?.expiresAt
      ? { secondsLeft: (item.published.expiresAt.getTime() - now.getTime()) / 1000 }
      : {}),
    rotations: simulator.counters().issued,
    ...reader.readings,
  }
}

/** One word for a person: what the incident says, or how fresh consumers are served. */
export function stateOf(item: LedgerItem | undefined, now: Date): string {
  const cause = item?.incident?.told.at(-1)
  if (cause !== undefined) return cause
  if (item?.published === undefined) return 'waiting for the first token'
  const { expiresAt } = item.published
  if (expiresAt === null) return 'kept alive'
  return expiresAt > now ? 'fresh' : 'expired'
}

/** Chains whose newest token the vendor would still take, less those whose token somebody holds. */
async function lostPairs({ id, simulator }: Running, ports: Ports): Promise<number> {
  const held = await heldRefreshTokens(id, ports)
  const living = simulator.chains().filter(({ tipLive }) => tipLive).length
  return Math.max(0, living - held.filter((token) => simulator.holds(token) === 'live').length)
}

/** Every refresh token in the enrollment secret, promoted or pending, and in the escrow. */
async function heldRefreshTokens(connection: string, ports: Ports): Promise<string[]> {
  const client = new SecretsManagerClient({})
  const read = async (VersionStage: string) => {
    const command = new GetSecretValueCommand({
      SecretId: enrollmentSecretId(connection),
      VersionStage,
    })
    return client.send(command).then(
      ({ SecretString }) => SecretString,
      () => undefined,
    )
  }
  const texts = [
    await read('AWSCURRENT'),
    await read('AWSPENDING'),
    await ports.parameters.read(escrowName(connection)),
  ]
  client.destroy()
  const found = texts.flatMap((text) =>
    text === undefined ? [] : refreshTokensIn(JSON.parse(text)),
  )
  return [...new Set(found)]
}

function refreshTokensIn(json: unknown): string[] {
  if (Array.isArray(json)) return json.flatMap(refreshTokensIn)
  const object = v.safeParse(v.record(v.string(), v.unknown()), json)
  if (!object.success) return []
  return Object.entries(object.output).flatMap(([key, value]) =>
    key === 'refreshToken' && typeof value === 'string' ? [value] : refreshTokensIn(value),
  )
}
