import { inspect } from 'node:util'
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { createHandler } from '../../lib/aws/handler.ts'
import { ledgerTableName } from '../../lib/core/documents.ts'
import type { Vendor, VendorClient } from '../../lib/core/vendor.ts'
import { demoConnections } from '../../lib/local/demo-connections.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { canaries, prints } from '../canaries.ts'
import { newCredential } from '../sockets/console.ts'
import type { Exchange } from '../sockets/fault-proxy.ts'
import type { Fault } from '../sockets/faults.ts'
import { type Part, startScene, targetOf } from '../sockets/scene.ts'
import { shortTimings } from '../sockets/short-timings.ts'
import { capture } from './capture.ts'
import type { Echo } from './echoes.ts'
import { secretsIn, secretsOf, storedIn } from './wire.ts'

/** What is done to the answers of one round, at a vendor's or at AWS's end. */
export interface Treatment {
  readonly echo?: Echo
  readonly fault?: Fault
  /** Answers of a connection to let pass first. @default 0 */
  readonly skip?: number
  /** The operations of AWS whose answers are meant; those of vendors if absent. */
  readonly operations?: readonly string[]
}

/** Every demo connection: all vendors, all grants, all ways to prove oneself. */
export const everyConnection: readonly Part[] = demoConnections.map((demo) =>
  // Opening a package takes long, and is what enrollment does, not a run.
  demo.enroll.includes('pfx')
    ? {
        id: demo.id,
        demo: { ...demo, enroll: ['certificate', 'privateKey', 'serverCertificate'] },
      }
    : { id: demo.id, demo },
)

const speed = 1

const callSeconds = 6
const functionSeconds = 60

export type WatchedScene = Awaited<ReturnType<typeof watchedScene>>

/**
 * All these connections at work on the shipped functions, with everything that comes out of the process
 * kept, and every credential that crosses a wire on record.
 *
 * @param onExchange told of every exchange, with vendors and AWS, as it begins
 */
export async function watchedScene(
  parts: readonly Part[],
  onExchange?: (exchange: Exchange) => void,
) {
  const search = canaries()
  const byConnection = new Map<string, Set<string>>()
  let treatment: Treatment | undefined
  let seen = new Map<string, number>()
  let treated = 0

  const note = (id: string, secrets: readonly string[]) => {
    search.add(...secrets)
    const known = byConnection.get(id) ?? new Set()
    byConnection.set(id, known)
    for (const secret of secrets) known.add(secret)
  }
  const isMeant = (id: string, exchange: Exchange): boolean => {
    const operation = targetOf(exchange).split('.')[1]
    if (treatment === undefined) return false
    const { operations } = treatment
    if (
      operations === undefined ? operation !== undefined : !operations.includes(operation ?? '')
    ) {
      return false
    }
    const index = seen.get(id) ?? 0
    seen.set(id, index + 1)
    if (index < (treatment.skip ?? 0)) return false
    treated++
    return true
  }
  const faultFor = (id: string, exchange: Exchange): Fault | undefined =>
    treatment?.fault !== undefined && isMeant(id, exchange) ? treatment.fault : undefined

  const scene = await startScene({
    parts,
    speed,
    timings: shortTimings(speed, callSeconds),
    ...(onExchange && { onExchange }),
    vendorFault: faultFor,
    awsFault: (exchange) => faultFor('aws', exchange),
    vendorAnswer(id, exchange, answered) {
      const said = secretsIn(exchange, answered)
      note(id, said)
      if (treatment?.echo === undefined || !isMeant(id, exchange)) return answered
      // A step of a login may say nothing itself; the server knows whom it talks with.
      const echoed = said.length > 0 ? said : [...(byConnection.get(id) ?? [])]
      return treatment.echo(answered, echoed, exchange)
    },
    awsAnswer(exchange, answered) {
      const said = storedIn(exchange, answered)
      note('aws', said)
      if (treatment?.echo === undefined || !isMeant('aws', exchange)) return answered
      return treatment.echo(
        answered,
        [...said, ...[...byConnection.values()].flatMap((known) => [...known].slice(0, 1))],
        exchange,
      )
    },
  })
  for (const { id, demo, simulator } of scene.members) {
    note(
      id,
      secretsOf(Object.fromEntries(demo.enroll.map((name) => [name, simulator.credential[name]]))),
    )
  }
  // Local mode silences them; on AWS they are there.
  delete process.env.POWERTOOLS_LOG_LEVEL
  delete process.env.POWERTOOLS_METRICS_DISABLED
  const printed = capture()
  const shown: string[] = []
  const errors: string[] = []
  const handlers = [...new Set(parts.map(({ demo }) => demo.vendor))].flatMap((id) => {
    const vendor = vendors[id]
    return vendor === undefined
      ? []
      : [createHandler(watched(vendor, errors), shortTimings(speed, callSeconds))]
  })

  return {
    ...scene,
    search,
    shown,
    /** The credentials that were seen at a connection, or by `aws` at AWS. */
    known: (id: string): string[] => [...(byConnection.get(id) ?? [])],
    /** How many answers have been treated. */
    treated: () => treated,
    /** Whatever comes of this work is kept: what it returns and what it throws. */
    async keep(work: () => Promise<unknown>) {
      try {
        const value = await work()
        shown.push(JSON.stringify(value) ?? '', inspect(value, { depth: 10, showHidden: true }))
      } catch (error) {
        shown.push(prints(error))
      }
    },
    /** Every function, invoked once. */
    async tick(run = functionSeconds) {
      const end = Date.now() + run * 1000
      const context = { getRemainingTimeInMillis: () => end - Date.now() }
      await Promise.all(handlers.map((handler) => this.keep(() => handler({}, context))))
    },
    /** All of them enrolled anew, as a person would; whoever is refused has still what it had. */
    async enrollAll() {
      const enrolled = scene.members.map(async (member) => {
        const credential = await newCredential(member)
        note(member.id, secretsOf({ refreshToken: credential.refreshToken }))
        return scene.enroll(member, credential)
      })
      await Promise.all(enrolled)
    },
    /** All of them asked to obtain a token at the next tick. */
    async rotateAll() {
      await Promise.all(scene.members.map(scene.rotateNow))
    },
    /** Answers are treated from here on, or no longer. */
    treat(next?: Treatment) {
      treatment = next
      seen = new Map()
      if (next === undefined) scene.disarm()
      else scene.arm()
    },
    /** Everything that is no store of secrets, as it stands, by name. */
    async sinks(): Promise<Record<string, string>> {
      return {
        'standard output and error': printed.text,
        'what is returned or thrown': shown.join('\n'),
        'errors and their causes': errors.join('\n'),
        events: JSON.stringify(scene.endpoint.events()),
        ledger: JSON.stringify(await ledgerItems()),
      }
    },
    async close() {
      printed.stop()
      await scene.close()
    },
  }
}

async function ledgerItems(): Promise<Record<string, unknown>[]> {
  const dynamo = new DynamoDBClient({})
  const { Items } = await dynamo.send(new ScanCommand({ TableName: ledgerTableName }))
  dynamo.destroy()
  return (Items ?? []).map((item) => unmarshall(item))
}

/** A vendor whose every error is printed, with all that hangs on it, before the engine makes less of it. */
function watched(vendor: Vendor, errors: string[]): Vendor {
  const listen = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return (...args: A): Promise<R> =>
      call(...args).catch((error) => {
        errors.push(prints(error))
        throw error
      })
  }
  return {
    ...vendor,
    connect(...args) {
      const client = vendor.connect(...args)
      const { verify, keepAlive, introspect, revoke } = client
      return {
        ...client,
        grants: client.grants.map((grant) => ({ ...grant, request: listen(grant.request) })),
        ...(verify && { verify: listen(verify) }),
        ...(keepAlive && { keepAlive: listen(keepAlive) }),
        ...(introspect && { introspect: listen(introspect) }),
        ...(revoke && { revoke: listen(revoke) }),
      } satisfies VendorClient
    },
  }
}
