import type { Scenario } from '../core/scenarios.ts'
import {
  type Fault,
  fenceOf,
  inPlay,
  isOver,
  type Losses,
  type Planned,
  type Verdict,
} from './played.ts'

const faults: readonly Fault[] = ['die before', 'die after', 'lose the answer', 'answer late']

/** How two runs meet: the second one starts while the first one's lease is in force, or after it. */
const starts = ['at once', 'after the lease'] as const
type Start = (typeof starts)[number]

/** What must not happen, as columns of a report. */
export const lossNames = [
  'doubleSpends',
  'lostPairs',
  'deadReads',
  'unrecovered',
  'duplicatePages',
  'falseAlarms',
  'leaks',
] as const satisfies readonly (keyof Losses)[]

/** What an enumeration found. */
export interface Tally extends Record<(typeof lossNames)[number], number> {
  single: number
  pairs: number
  overlaps: number
  /** Schedules that leave no way but a new enrollment: nobody has what the vendor gave. */
  enrollments: number
  /** Second sendings that no look could have prevented; see `Verdict`. */
  raced: number
  /** The schedules that lost something, in words that name every fault. */
  readonly failures: string[]
}

export function newTally(): Tally {
  return {
    single: 0,
    pairs: 0,
    overlaps: 0,
    enrollments: 0,
    raced: 0,
    failures: [],
    doubleSpends: 0,
    lostPairs: 0,
    deadReads: 0,
    unrecovered: 0,
    duplicatePages: 0,
    falseAlarms: 0,
    leaks: 0,
  }
}

// More than any wait of the engine: a token's hour, and a back-off after it.
const usualMinutes = 75
const afterwardsMinutes = 20

/** Plays one schedule of faults, with a tick a minute, to a state that lasts. */
async function played(scenario: Scenario, plan: readonly Planned[]): Promise<Verdict> {
  const play = await inPlay(scenario, plan)
  const { world, crossed, waiting } = play
  const { minutes: horizonMinutes = usualMinutes } = scenario
  let over: number | undefined
  for (let minute = 0; minute < horizonMinutes + afterwardsMinutes; minute++) {
    const process = await play.launch()
    for (const late of [...waiting]) {
      const hasBeenPassed = late !== process && fenceOf(world) > late.fence
      if (hasBeenPassed || minute >= horizonMinutes) await play.wake(late)
    }
    play.read()
    if (over === undefined && waiting.length === 0 && isOver(world, scenario)) over = crossed.length
    world.clock.advance(60)
  }
  return play.verdict(over ?? crossed.length)
}

/**
 * Two runs in each other's way: the first stands still at one boundary, the second goes ahead and
 * stands still at another, the first goes on to its end, then the second.
 */
async function overlapped(
  scenario: Scenario,
  plan: readonly Planned[],
  start: Start,
): Promise<Verdict | undefined> {
  const play = await inPlay(scenario, plan)
  const { world, crossed, waiting } = play
  const { minutes: horizonMinutes = usualMinutes } = scenario
  const first = await play.launch()
  if (first?.state !== 'waiting') return undefined
  const before = crossed.length
  if (start === 'at once') await play.launch()
  for (let minute = 0; start !== 'at once' && minute < horizonMinutes; minute++) {
    world.clock.advance(60)
    await play.launch()
    if (waiting.length > 1 || fenceOf(world) > first.fence) break
  }
  const over = crossed.length
  if (over === before) return undefined
  for (const process of [...waiting]) await play.wake(process)
  for (let minute = 0; minute < horizonMinutes; minute++) {
    play.read()
    world.clock.advance(60)
    await play.launch()
  }
  return play.verdict(over)
}

/** Boundaries that the scenario's run crosses when nothing goes wrong. */
async function boundaries(scenario: Scenario): Promise<number> {
  const play = await inPlay(scenario, [])
  await play.launch()
  return play.crossed.length
}

/** Every boundary with every fault, each once. */
export async function singles(scenario: Scenario, tally: Tally): Promise<void> {
  await eachSingle(scenario, tally, async () => {})
}

/** Every boundary with every fault, and with each every fault at every boundary up to the recovery's end. */
export async function singlesAndPairs(scenario: Scenario, tally: Tally): Promise<void> {
  await eachSingle(scenario, tally, async (first, { over }) => {
    for (let at = first.at + 1; at < over; at++) {
      for (const fault of faults) {
        const plan = [first, { at, fault }]
        tally.pairs++
        count(tally, scenario, plan, await played(scenario, plan))
      }
    }
  })
}

async function eachSingle(
  scenario: Scenario,
  tally: Tally,
  then: (first: Planned, verdict: Verdict) => Promise<void>,
) {
  const crossings = await boundaries(scenario)
  for (let at = 0; at < crossings; at++) {
    for (const fault of faults) {
      const first = { at, fault }
      const verdict = await played(scenario, [first])
      tally.single++
      count(tally, scenario, [first], verdict)
      await then(first, verdict)
    }
  }
}

/** Every two boundaries of two runs at which they can change turns, before a call or after it. */
export async function overlaps(scenario: Scenario, tally: Tally): Promise<void> {
  const stops = ['freeze', 'answer late'] as const
  const crossings = await boundaries(scenario)
  for (let at = 0; at < crossings; at++) {
    for (const fault of stops) {
      for (const start of starts) {
        const first = { at, fault }
        const alone = await overlapped(scenario, [first], start)
        if (alone === undefined) continue
        tally.overlaps++
        count(tally, scenario, [first], alone, start)
        for (let other = at + 1; other < alone.over; other++) {
          for (const stop of stops) {
            const plan = [first, { at: other, fault: stop }]
            const verdict = await overlapped(scenario, plan, start)
            if (verdict === undefined) continue
            tally.overlaps++
            count(tally, scenario, plan, verdict, start)
          }
        }
      }
    }
  }
}

function count(
  tally: Tally,
  { title }: Scenario,
  plan: readonly Planned[],
  verdict: Verdict,
  start?: Start,
) {
  if (verdict.isPastHelp) tally.enrollments++
  tally.raced += verdict.raced
  const lost = lossNames.filter((name) => verdict[name] > 0)
  for (const name of lost) tally[name] += verdict[name]
  if (lost.length === 0) return
  const words = plan.map(({ at, fault }) => `${fault} at ${at}, ${verdict.crossed[at]}`)
  const where = start === undefined ? '' : ` (second run ${start})`
  tally.failures.push(`${title}: ${words.join('; then ')}${where}: ${lost.join(', ')}`)
}
