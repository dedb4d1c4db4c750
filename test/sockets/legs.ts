import { demoConnections } from '../../lib/local/demo-connections.ts'
import type { Exchange } from './fault-proxy.ts'
import type { Fault } from './faults.ts'
import { play, type Story } from './play.ts'
import { isOf, type Part, startScene, startSimulator, targetOf } from './scene.ts'
import { shortTimings } from './short-timings.ts'
import { createTicks } from './ticks.ts'
import { presentedIn } from './witness.ts'

/** Services of AWS, by how their calls name them. */
export const services = ['secretsmanager', 'AmazonSSM', 'DynamoDB_20120810', 'AWSEvents'] as const
export type Service = (typeof services)[number]

/** A connection that meets one fault, at its vendor or at a service of AWS. */
export interface Case {
  readonly demo: string
  readonly fault: Fault
  /** The service whose call is struck; the vendor's grant if absent. */
  readonly service?: Service
  /** Calls of that service to let pass first, and how many in a row are then struck. */
  readonly skip?: number
  readonly times?: number
}

/** Seconds: longer than any answer on loopback takes, however busy the machine; and too short for a drip. */
export const patience: Readonly<Record<'ample' | 'short', Patience>> = {
  ample: { call: 20, function: 60 },
  short: { call: 1, function: 8 },
}

export interface Patience {
  /** For an answer to a call that spends nothing. */
  readonly call: number
  /** What an invocation has to live. */
  readonly function: number
}

/** Tokens that live long enough for the slowest machine to be done with them. */
const speed = 10
const mostRounds = 400

/** A name for a case that can be the id of its connection. */
export function nameOf({ demo, fault, service, skip = 0 }: Case): string {
  const leg = service === undefined ? '' : `-${service.slice(0, 8).toLowerCase()}-${skip}`
  return `${demo}${leg}-${fault}`.replaceAll('_', '-')
}

/**
 * Plays all cases at once, each with a connection of its own, on one account.
 *
 * @returns the story of each case by its name, and what all simulators together counted
 */
export async function playCases(
  cases: readonly Case[],
  { call, function: functionSeconds }: Patience,
): Promise<{ stories: Map<string, Story>; presentedTwice: number }> {
  const timings = shortTimings(speed, call)
  const parts = await partsOf(cases)
  const seen = new Map<string, number>()
  const struck = new Set<string>()
  const strike = (one: Case): Fault | undefined => {
    const name = nameOf(one)
    const index = (seen.get(name) ?? 0) - (one.skip ?? 0)
    seen.set(name, (seen.get(name) ?? 0) + 1)
    if (index < 0 || index >= (one.times ?? 1)) return undefined
    struck.add(name)
    return one.fault
  }
  const scene = await startScene({
    parts,
    speed,
    timings,
    vendorFault(id, exchange) {
      const one = cases.find((known) => nameOf(known) === id)
      const isMeant = one?.service === undefined && one !== undefined && isGrant(one, exchange)
      return isMeant ? strike(one) : undefined
    },
    awsFault(exchange) {
      const service = targetOf(exchange).split('.')[0]
      const one = cases.find((known) => known.service === service && isOf(nameOf(known), exchange))
      return one && strike(one)
    },
  })
  try {
    const ticks = createTicks(
      [...new Set(parts.map(({ demo }) => demo.vendor))],
      timings,
      functionSeconds,
    )
    const stories = await play(scene, ticks, (id) => struck.has(id), mostRounds)
    const simulators = new Set(scene.members.map(({ simulator }) => simulator))
    const counted = [...simulators].map((one) => one.counters().presentedTwice)
    return { stories, presentedTwice: counted.reduce((sum, one) => sum + one, 0) }
  } finally {
    await scene.close()
  }
}

/** Connections whose grants present a refresh token: that one is to be struck, not what leads to it. */
const refreshing: ReadonlySet<string> = new Set([
  'mdr-demo',
  'ftd-demo',
  'incydr-refresh-demo',
  'kics-demo',
  'oauth2-refresh-demo',
])

function isGrant({ demo }: Case, exchange: Exchange): boolean {
  return !refreshing.has(demo) || presentedIn(exchange) !== undefined
}

/** One simulator serves all connections of a vendor, but for the one that allows five sessions in all. */
async function partsOf(cases: readonly Case[]): Promise<Part[]> {
  const demos = demoConnections
    .filter(({ id }) => cases.some((one) => one.demo === id))
    // Opening a package takes long, and is what enrollment does, not a run.
    .map((demo) =>
      demo.id === 'kics-demo'
        ? { ...demo, enroll: ['certificate', 'privateKey', 'serverCertificate'] }
        : demo,
    )
  const parts = demos.map(async (demo): Promise<Part[]> => {
    const shared =
      demo.vendor === 'cisco-ftd' ? {} : { simulator: await startSimulator(demo, speed) }
    return cases
      .filter((one) => one.demo === demo.id)
      .map((one) => ({ id: nameOf(one), demo, ...shared }))
  })
  return (await Promise.all(parts)).flat()
}
