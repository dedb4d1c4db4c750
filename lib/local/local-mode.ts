import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { readSettings } from '../aws/environment.ts'
import { createHandler, type Handler } from '../aws/handler.ts'
import { awsPorts } from '../aws/ports.ts'
import { enroll } from '../core/enroll.ts'
import { describeError } from '../core/errors.ts'
import type { Outcome } from '../core/release.ts'
import { defaultTimings, type Timings } from '../core/renewal.ts'
import type { Ports } from '../core/run.ts'
import { createHttp } from '../http.ts'
import { vendors } from '../vendors/index.ts'
import {
  configureRotation,
  deployLocally,
  enterLocalAccount,
  functionArn,
  provideConnections,
} from './account.ts'
import { startAwsEndpoint } from './aws/endpoint.ts'
import { demoConnections } from './demo-connections.ts'
import { startReader } from './reader.ts'
import { connectionStatus, makeReport, type Report } from './report.ts'
import { simulators } from './simulators/index.ts'
import type { Simulator } from './simulators/simulator.ts'
import type { Running, Status } from './status.ts'

/** Time-out of the functions, in seconds, as the stack sets it. */
const functionSeconds = 300

export interface LocalModeOptions {
  /** Port of the endpoint; another is taken if it is not free. */
  readonly port: number
  readonly dataDir?: string
  /** Lifetimes and the minute between two ticks are divided by this. */
  readonly speed: number
  /** Called with every outcome of every tick. */
  readonly onOutcome: (outcome: Outcome) => void
}

export interface LocalMode {
  readonly url: string
  readonly status: () => Promise<Status[]>
  /** Lets what is under way finish, counts, and closes everything. */
  readonly stop: () => Promise<Report>
}

/**
 * The whole rotator on loopback: embedded AWS endpoint, a simulator per demo connection, the shipped
 * handlers ticking, and beside each connection a reader that uses its token.
 */
export async function startLocalMode(options: LocalModeOptions): Promise<LocalMode> {
  const { port, dataDir, speed, onOutcome } = options
  const startedAt = Date.now()
  const timings = compressed(defaultTimings, speed)
  const endpoint = await startAwsEndpoint({
    port,
    versionWindowSeconds: timings.versionWindowSeconds,
    // The kinder of the two readings: by the other, a token of 15 minutes fills its secret within a day.
    versionQuota: 'purging',
    ...(dataDir === undefined ? {} : { dataDir }),
  })
  enterLocalAccount(endpoint.url)

  const demos = await Promise.all(
    demoConnections.map(async (demo) => {
      const simulator = await simulators[demo.vendor as keyof typeof simulators].start({
        speed,
        ...demo.simulator,
      })
      const configuration = { id: demo.id, vendor: demo.vendor, ...demo.configure(simulator) }
      return { demo, simulator, configuration }
    }),
  )
  const removeConnections = await provideConnections(
    demos.map(({ configuration }) => configuration),
  )
  await deployLocally(demoConnections)
  const functions = createFunctions(timings)
  for (const [vendor, invoke] of functions) endpoint.provideFunction(functionArn(vendor), invoke)
  await configureRotation(demoConnections)
  // Before anything is enrolled: with nothing to be tested, no vendor is asked.
  await endpoint.rotationsSettled()
  const settings = readSettings(process.env, vendors)
  const ports = awsPorts(settings, timings)
  for (const { demo, simulator } of demos) {
    await enrollDemo(demo, simulator, settings.connections, ports)
  }

  const running: Running[] = demos.map(({ demo, simulator }) => {
    const { ca } = simulator
    const http = createHttp(ca === undefined ? {} : { ca })
    // About a hundred reads in the shortest lifetime, half an hour.
    const everySeconds = Math.max(0.2, 18 / speed)
    const reader = startReader(
      demo.id,
      http,
      demo.call(simulator),
      everySeconds,
      new Date(startedAt),
    )
    return { id: demo.id, simulator, reader }
  })
  const ticking = startTicks([...functions.values()], 60 / speed, onOutcome)

  return {
    url: endpoint.url,
    status: () =>
      Promise.all(running.map((one) => connectionStatus(one, ports, settings.connections))),
    async stop() {
      await ticking.stop()
      await endpoint.rotationsSettled()
      await Promise.all(running.map(({ reader }) => reader.stop()))
      const report = await makeReport(
        running,
        ports,
        settings.connections,
        (Date.now() - startedAt) / 1000,
      )
      await Promise.all(running.map(({ simulator }) => simulator.close()))
      await endpoint.close()
      await removeConnections()
      return report
    },
  }
}

/**
 * The engine's durations at another speed. What is spent on real work (waiting for an answer,
 * writing to a store) stays as it is; what belongs to tokens and ticks shrinks.
 */
export function compressed(timings: Timings, speed: number): Timings {
  return {
    ...timings,
    marginFloorSeconds: timings.marginFloorSeconds / speed,
    backoffSeconds: timings.backoffSeconds.map((seconds) => seconds / speed),
    keepAliveSeconds: timings.keepAliveSeconds / speed,
    overlapSeconds: timings.overlapSeconds / speed,
    versionWindowSeconds: timings.versionWindowSeconds / speed,
  }
}

async function enrollDemo(
  demo: (typeof demoConnections)[number],
  { credential }: Simulator,
  connections: ReturnType<typeof readSettings>['connections'],
  ports: Ports,
): Promise<void> {
  const connection = connections.find(({ id }) => id === demo.id)
  const vendor = vendors[demo.vendor]
  if (connection === undefined || vendor === undefined) throw new Error(`no connection ${demo.id}`)
  const fields = Object.fromEntries(demo.enroll.map((name) => [name, credential[name]]))
  const run = { connection, vendor, runId: randomUUID(), remainingSeconds: () => 30 }
  await enroll(run, fields, randomUUID(), ports)
}

type LocalFunction = (event: object) => ReturnType<Handler>

/** The function of each vendor in use, by the vendor's id, with a function's time to live. */
function createFunctions(timings: Timings): Map<string, LocalFunction> {
  const used = new Set(demoConnections.map(({ vendor }) => vendor))
  return new Map(
    Object.values(vendors)
      .filter(({ id }) => used.has(id))
      .map((vendor) => {
        const handler = createHandler(vendor, timings)
        const invoke: LocalFunction = (event) => {
          const end = Date.now() + functionSeconds * 1000
          return handler(event, { getRemainingTimeInMillis: () => end - Date.now() })
        }
        return [vendor.id, invoke]
      }),
  )
}

/** The schedule: every vendor's function at every tick, also while an earlier one is still at work. */
function startTicks(
  functions: readonly LocalFunction[],
  everySeconds: number,
  onOutcome: (outcome: Outcome) => void,
) {
  const stopping = new AbortController()
  const underWay = new Set<Promise<void>>()
  const invoke = async (tick: LocalFunction) => {
    try {
      const { outcomes } = await tick({})
      outcomes.forEach(onOutcome)
    } catch (error) {
      onOutcome({ connection: '(tick)', outcome: 'failed', error: describeError(error) })
    }
  }
  const loop = async () => {
    while (!stopping.signal.aborted) {
      for (const tick of functions) {
        const invocation = invoke(tick).finally(() => underWay.delete(invocation))
        underWay.add(invocation)
      }
      await sleep(everySeconds * 1000, undefined, { signal: stopping.signal }).catch(
        () => undefined,
      )
    }
  }
  const running = loop()
  return {
    async stop() {
      stopping.abort()
      await running
      await Promise.all(underWay)
    },
  }
}
