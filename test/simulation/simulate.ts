import type { Connection } from '../../lib/core/connection.ts'
import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import type { Outcome } from '../../lib/core/release.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import type { Ports } from '../../lib/core/run.ts'
import { tick } from '../../lib/core/tick.ts'
import { type Chance, chanceOf } from './chance.ts'
import { SimulatedCloud, SimulatedSecret } from './cloud.ts'
import { fateOf } from './fate.ts'
import { Judge } from './invariants.ts'
import { type Loss, lossNames } from './losses.ts'
import { act, type Desk, enrollAtLast } from './people.ts'
import { Process, type Surroundings } from './process.ts'
import { portsOf } from './process-ports.ts'
import { simulateRegions } from './simulate-regions.ts'
import { species as everySpecies, type Species } from './subjects.ts'
import { type Instant, newTimeline } from './timeline.ts'
import { type Happened, troublesOf } from './troubles.ts'
import { peopleActs, scheduleTroubles, weatherOf } from './weather.ts'

const start: Instant = Date.parse('2026-01-01T00:00:00Z')
const minuteMs = 60_000
const hourMs = 3_600_000
// Of each minute.
const tickMs = 1000
const functionMs = 300_000
const commandMs = 60_000
// Longer than every wait of the engine: a token's hour, its lease and its back-off, and a renewal after it.
const quietMs = 3 * hourMs
const regionShare = 0.02

export interface SimulationOptions {
  /** Of these one is chosen by the seed. Default: all. */
  readonly species?: readonly Species[]
  /** Hours with trouble; then it stops, and everything has to come right. Default 12. */
  readonly hours?: number
  /** Numbers of troubles that are left out. */
  readonly spared?: ReadonlySet<number>
  /** Receives each line of the trace. */
  readonly trace?: (line: string) => void
  /** Whether the world has a second region, to which people fail over. Default: one in fifty has. */
  readonly isTwoRegions?: boolean
  /** Puts something between the engine and its ports, e.g. a defect. */
  readonly through?: (ports: Ports, world: { readonly cloud: SimulatedCloud }) => Ports
}

/** What one seed gave. */
export interface Simulated {
  readonly seed: number
  readonly species: string
  /** Tokens published, over all connections. */
  readonly rotations: number
  readonly runs: number
  /** Refresh tokens presented, over all vendors. */
  readonly spends: number
  readonly happened: readonly Happened[]
  /** Enrollments that could not be avoided: the vendor's pair was nowhere. */
  readonly enrollments: number
  readonly losses: Readonly<Record<Loss, number>>
  readonly breaches: readonly { readonly loss: Loss; readonly why: string }[]
  /** Of the whole trace, without keeping it. */
  readonly digest: number
}

/** Plays one world from its seed: the same seed gives the same trace, to the letter. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Simulated> {
  const { species = everySpecies, hours = 12, spared = new Set(), trace, through } = options
  const chance = chanceOf(seed)
  if (options.isTwoRegions ?? (through === undefined && chance.apart(4).happens(regionShare))) {
    return simulateRegions(seed, options)
  }
  const kind = chance.one(species)
  const timeline = newTimeline(start)
  const cloud = new SimulatedCloud()
  const quietFrom = start + hours * hourMs
  const weather = weatherOf(chance.apart(1), start, quietFrom)
  const troubles = troublesOf(chance.apart(2), weather, quietFrom, spared)
  let digest = seed | 0
  const note = (who: string, what: string) => {
    for (let index = 0; index < what.length; index++) {
      digest = Math.imul(digest ^ what.charCodeAt(index), 0x01000193)
    }
    digest = Math.imul(digest ^ (timeline.now() | 0), 0x01000193)
    trace?.(`${new Date(timeline.now()).toISOString()} ${who}: ${what}`)
  }
  const world: Surroundings = { timeline, cloud, weather, troubles, chance: chance.apart(3), note }

  const losses = Object.fromEntries(lossNames.map((name) => [name, 0])) as Record<Loss, number>
  const breaches: { loss: Loss; why: string }[] = []
  const breach = (loss: Loss, why: string) => {
    losses[loss]++
    breaches.push({ loss, why })
    note('BREACH', `${loss}: ${why}`)
  }
  const isEnforced = chance.happens(0.5)
  const judges = settle(kind, chance).map((subject) => {
    const judge = new Judge(
      subject(() => new Date(timeline.now())),
      { cloud, timeline, breach },
    )
    for (const id of [enrollmentSecretId, consumerSecretId]) {
      cloud.secrets.set(id(judge.subject.connection.id), new SimulatedSecret(isEnforced))
    }
    return judge
  })
  const judgeOf = new Map(judges.map((judge) => [judge.subject.connection.id, judge]))
  const connections = judges.map(({ subject }) => subject.connection)

  let ids = 0
  const newId = () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`
  const openPorts = (process: Process) => {
    const ports = portsOf(
      process,
      defaultTimings,
      (id) => () => judgeOf.get(id)?.subject.fake.http() as never,
    )
    return through?.(ports, { cloud }) ?? ports
  }
  const desk: Desk = {
    ...{ timeline, cloud, note, newId },
    command(name) {
      const endsAt = timeline.now() + commandMs
      const process = new Process(name, world, fateOf(troubles, timeline.now(), endsAt))
      return { ports: openPorts(process), remainingSeconds: () => process.remainingSeconds() }
    },
  }
  for (const judge of judges) void enrollAtLast(judge, desk)

  let runs = 0
  let invocations = 0
  let enrollments = 0
  function invoke() {
    const startedAt = timeline.now()
    const process = new Process(
      `invocation ${++invocations}`,
      world,
      fateOf(troubles, startedAt, startedAt + functionMs),
    )
    const newRunId = () => `run-${++runs}`
    const remainingSeconds = () => process.remainingSeconds()
    const frame = { vendor: kind.vendor, connections, remainingSeconds, newRunId }
    tick(frame, openPorts(process)).then(
      (outcomes) => {
        for (const outcome of outcomes) concluded(outcome, process, startedAt)
      },
      (error) => note('a tick', `fails: ${error}`),
    )
  }

  const outcomes: Outcome[] = []
  function concluded(outcome: Outcome, process: Process, startedAt: Instant) {
    if (process.isGone()) return
    const { connection, outcome: what, cause, dueAt } = outcome
    note(
      connection,
      `${what} ${cause ?? ''} ${outcome.message ?? ''} ${dueAt?.toISOString() ?? ''}`,
    )
    outcomes.push(outcome)
    if (outcomes.length > 20) outcomes.shift()
    if (what === 'lease-held' || what === 'deferred' || what === 'blocked') return
    judgeOf.get(connection)?.worked(startedAt, process.isDisturbed)
  }

  /** A person who is asked to enroll, and for a reason, does so some time later. */
  cloud.listener = (event) => {
    const judge = judgeOf.get(event.detail.connection)
    if (judge === undefined) return
    const isNeeded = judge.hears(event)
    if (!isNeeded) return
    enrollments++
    const soon = timeline.now() + chance.between(minuteMs, 4 * hourMs)
    timeline.at(Math.min(soon, quietFrom + minuteMs), () => {
      if (judge.isHopeless()) void enrollAtLast(judge, desk)
    })
  }

  let lastTroubleAt: Instant = start
  function everyMinute() {
    const now = timeline.now()
    lastTroubleAt = Math.max(lastTroubleAt, troubles.happened.at(-1)?.instant ?? start)
    if (weather.isAnyAway(now)) lastTroubleAt = now
    for (const judge of judges) judge.freshOrRefused(lastTroubleAt)
    const isDue = connections.some(
      ({ id }) => (cloud.items.get(id)?.dueAt.getTime() ?? 0) <= now + 1500,
    )
    if (isDue) {
      const odd = troubles.oneOf(scheduleTroubles, now)
      if (odd?.trouble !== 'missed tick') invoke()
      if (odd?.trouble === 'duplicate tick') {
        timeline.at(now + odd.chance.between(1, odd.chance.one([500, 90_000])), invoke)
      }
    }
    timeline.at(now + minuteMs, everyMinute)
  }
  timeline.at(start + tickMs, everyMinute)

  function everyHour() {
    const now = timeline.now()
    for (const deed of peopleActs) {
      const particulars = troubles.befalls(deed, now)
      if (particulars === undefined) continue
      const when = momentOf(particulars, now)
      const judge = particulars.one(judges)
      if (when < quietFrom) timeline.at(when, () => void act(deed, judge, desk, particulars))
    }
    timeline.at(now + hourMs, everyHour)
  }
  timeline.at(start + minuteMs, everyHour)

  /** Some time within the hour; half of the time while a run may be at work, where it matters. */
  function momentOf(chance: Chance, hour: Instant): Instant {
    const when = hour + chance.between(0, hourMs)
    if (chance.happens(0.5)) return when
    const tickAt = when - ((when - start) % minuteMs) + tickMs
    return tickAt + chance.between(0, 3000)
  }

  await timeline.until(quietFrom)
  await comesRight()
  for (const judge of judges) {
    judge.noPairLost()
    judge.noEditLost()
    if (!judge.isWell())
      breach('unrecovered', `${judge.subject.connection.id} is not well in the end`)
    judge.noSecretLeaves(JSON.stringify([judge.item(), cloud.events.slice(-40), outcomes]))
  }

  /** After the last trouble: to the next renewal of every connection, and what it leaves behind. */
  async function comesRight() {
    const rotationsOf = () => judges.map((judge) => judge.item()?.rotations ?? 0)
    const before = rotationsOf()
    for (let now = quietFrom; now < quietFrom + quietMs; ) {
      now += 10 * minuteMs
      await timeline.until(now)
      const isRenewed = rotationsOf().every(
        (count, index) => count > (before[index] ?? 0) || kind.vendor.idleSeconds !== undefined,
      )
      if (isRenewed && judges.every((judge) => judge.isWell())) return
    }
  }

  return {
    seed,
    species: kind.name,
    rotations: judges.reduce((sum, judge) => sum + (judge.item()?.rotations ?? 0), 0),
    runs,
    spends: judges.reduce((sum, judge) => sum + judge.spends, 0),
    happened: troubles.happened,
    ...{ enrollments, losses, breaches, digest },
  }
}

/** One connection, or some of a kind, which share their function. */
function settle(kind: Species, chance: Chance) {
  const count = chance.happens(0.15) ? 2 + chance.below(2) : 1
  return Array.from({ length: count }, (_, index) => {
    const connection: Connection = {
      id: `subject-${index + 1}`,
      vendor: kind.vendor.id,
      options: kind.options,
    }
    return (now: () => Date) => ({ ...kind.settle(now), connection, species: kind })
  })
}
