import { setTimeout as sleep } from 'node:timers/promises'
import { demoConnections } from '../../lib/local/demo-connections.ts'
import { newCredential } from './console.ts'
import { faults } from './faults.ts'
import { stateOf, verdictOf } from './play.ts'
import { randomFrom } from './random.ts'
import { type Member, type Part, type Scene, startScene, targetOf } from './scene.ts'
import { shortTimings } from './short-timings.ts'
import { victims } from './victims.ts'

/** What a run of kills came to; counted by simulators and proxies, never by the engine. */
export interface KillReport {
  readonly kills: number
  /** Token pairs that the vendors issued. */
  readonly rotations: number
  /** Refresh tokens that the vendors were given. */
  readonly spends: number
  /** Of these, used-up ones given again, less the one repetition that the design allows. */
  readonly doubleSpends: number
  /** Pairs that a store had acknowledged and that are neither held nor superseded. */
  readonly lostPairs: number
  /** A pair was given and died with the process, before any store had seen it. */
  readonly enrollmentsThatCannotBeAvoided: number
  /** A token was announced twice, and both times its process died before the vendor saw it. */
  readonly announcedInVain: number
  /** Connections that were not fresh in the end. */
  readonly unrecovered: number
  readonly seconds: number
}

export interface KillOptions {
  readonly kills: number
  readonly seed: string
  /** Ids of the demo connections to use. @default all */
  readonly demos?: readonly string[]
  /** How many connections of each whose tokens are single use. @default 3 */
  readonly copies?: number
  /** Told after each kill. */
  readonly onKill?: (done: number) => void
}

const speed = 60
const functionSeconds = 12
/** Exchanges of which one is spoilt. */
const faultEvery = 100
/** Exchanges with vendors and AWS that a process lives to see, and how long it waits for them. */
const mostExchanges = 150
const longestLifeSeconds = 3
/** Rotations asked for between two kills, so that there is always work. */
const requests = 4
/** A person does not look at every moment. */
const killsBetweenVisits = 4
const recoverySeconds = 120

/**
 * Kills the shipped functions at random instants under load, each time in the middle of whatever they
 * do; then lets them finish. The embedded AWS endpoint and the vendors live on in this process.
 */
export async function killUnderLoad(options: KillOptions): Promise<KillReport> {
  const { kills, seed, onKill } = options
  const start = performance.now()
  const random = randomFrom(seed)
  const draw = (below: number) => Math.floor(random() * below)
  const timings = { ...shortTimings(speed, 8), versionWindowSeconds: 120 }
  let exchanges = 0
  const struck = () => (draw(faultEvery) === 0 ? faults[draw(faults.length)] : undefined)
  const scene = await startScene({
    parts: partsOf(options),
    speed,
    timings,
    vendorFault: struck,
    awsFault: struck,
    onExchange(exchange) {
      // Asking what is due is no work.
      if (!targetOf(exchange).endsWith('.Query')) exchanges += 1
    },
  })
  const vendorIds = [...new Set(scene.members.map(({ demo }) => demo.vendor))]
  const processes = await victims({ vendorIds, timings, functionSeconds, everyMilliseconds: 250 })
  const people = createPeople(scene)
  try {
    scene.arm()
    for (let done = 1; done <= kills; done++) {
      const before = exchanges
      const kill = await processes.start()
      for (let request = 0; request < requests; request++) {
        const member = scene.members[draw(scene.members.length)]
        if (member !== undefined) await scene.rotateNow(member)
      }
      const wanted = before + 1 + draw(mostExchanges)
      const end = performance.now() + longestLifeSeconds * 1000
      while (exchanges < wanted && performance.now() < end) await sleep(1)
      await sleep(draw(10))
      await kill()
      if (done % killsBetweenVisits === 0) await people.helpWhereNeeded()
      onKill?.(done)
    }
    scene.disarm()
    const kill = await processes.start()
    const unrecovered = await recover(scene, people)
    await kill()
    return {
      kills,
      ...(await count(scene)),
      lostPairs: people.counts.lost + (await notHeld(scene)),
      enrollmentsThatCannotBeAvoided: people.counts.unavoidable,
      announcedInVain: people.counts['never-arrived'],
      unrecovered,
      seconds: Math.round((performance.now() - start) / 100) / 10,
    }
  } finally {
    await processes.close()
    await scene.close()
  }
}

function partsOf({ demos, copies = 3 }: KillOptions): Part[] {
  return demoConnections
    .filter(({ id }) => demos === undefined || demos.includes(id))
    .flatMap((demo) =>
      Array.from({ length: demo.enroll.includes('refreshToken') ? copies : 1 }, (_, index) => ({
        id: `${demo.id}-${index + 1}`,
        demo,
      })),
    )
}

/** Those who are paged: they enroll where they are told to, and find out why they had to. */
function createPeople(scene: Scene) {
  const counts = { unavoidable: 0, 'never-arrived': 0, lost: 0 }
  return {
    counts,
    async helpWhereNeeded(): Promise<void> {
      for (const member of scene.members) {
        if ((await stateOf(scene, member)) !== 'stuck') continue
        const verdict = await verdictOf(scene, member)
        if (await scene.enroll(member, await newCredential(member))) counts[verdict] += 1
      }
    },
  }
}

/** @returns connections that have not become fresh */
async function recover(scene: Scene, people: ReturnType<typeof createPeople>): Promise<number> {
  const end = performance.now() + recoverySeconds * 1000
  let open: readonly Member[] = scene.members
  while (open.length > 0 && performance.now() < end) {
    await sleep(200)
    await people.helpWhereNeeded()
    const stillOpen = await Promise.all(
      open.map(async (member) => {
        const isWell = (await stateOf(scene, member)) === 'well'
        return isWell && (await scene.isFresh(member)) ? [] : [member]
      }),
    )
    open = stillOpen.flat()
  }
  return open.length
}

async function count({ members }: Scene) {
  const sum = (one: (member: Member) => number) =>
    members.reduce((all, member) => all + one(member), 0)
  const seen = sum(({ witness }) => witness.counts.doubleSpends)
  const allowed = sum(({ witness }) => witness.counts.probes)
  const counted = sum(({ simulator }) => simulator.counters().presentedTwice)
  return {
    rotations: sum(({ simulator }) => simulator.counters().issued),
    spends: sum(({ simulator }) => simulator.counters().spends),
    // Whatever the vendors counted beyond what passed the proxies would be one as well.
    doubleSpends: Math.max(seen, counted - allowed),
  }
}

async function notHeld(scene: Scene): Promise<number> {
  const missing = scene.members.map(async (member) => {
    const newest = member.witness.newest()
    return newest === undefined || (await scene.held(member)).includes(newest) ? 0 : 1
  })
  return (await Promise.all(missing)).reduce<number>((sum, one) => sum + one, 0)
}
