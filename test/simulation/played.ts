import { setImmediate } from 'node:timers/promises'
import type { RotatorEvent } from '../../lib/core/events.ts'
import { canaries } from '../canaries.ts'
import { type Boundary, type Fault as Crash, interposed, unanswered } from '../core/crash.ts'
import type { AnyWorld, Scenario } from '../core/scenarios.ts'
import { secretsOf } from '../redaction/wire.ts'
import { Pages } from './pages.ts'
import { isAnnouncedTwice, isHeld, isStored, takenBy } from './pairs.ts'

/**
 * What happens at one boundary. `answer late`: the call takes effect, and its answer comes only after
 * another run has gone ahead. `freeze`: the process stands still just before the call.
 */
export type Fault = Crash | 'answer late' | 'freeze'

/** A fault at the `at`-th boundary that is crossed, over all runs and counted from 0. */
export interface Planned {
  readonly at: number
  readonly fault: Fault
}

/** What a schedule lost. Every field is to be 0. */
export interface Losses {
  /** Presentations beyond the first, but for the one probe of a token whose pair is nowhere. */
  readonly doubleSpends: number
  /** A pair that some store had, and that the connection does not hold in the end. */
  readonly lostPairs: number
  /** Minutes at which a reader met a dead token although an undisturbed run had gone before. */
  readonly deadReads: number
  /** Neither served with a pair that the vendor takes, nor in truth in need of enrollment. */
  readonly unrecovered: number
  /** The same cause told again, under another key, before the incident was over. */
  readonly duplicatePages: number
  /** A person was asked to enroll although a store had what the vendor would take. */
  readonly falseAlarms: number
  /** Places outside the stores at which a credential shows: in outcomes, events or the ledger. */
  readonly leaks: number
}

export interface Verdict extends Losses {
  readonly crossed: readonly Boundary[]
  /** How many boundaries had been crossed when the connection was well again, or past all help. */
  readonly over: number
  /** It ends with a person who has been asked to enroll, as nothing else helps. */
  readonly isPastHelp: boolean
  /**
   * Not to be had, but counted: a second sending that no look could have prevented. Looking at the
   * stores and at the clock is never one with the sending: a run that outlived its own lease stood
   * still in between, or put its pair into a store just after the probing run had looked there.
   */
  readonly raced: number
}

/** One invocation of the function, as a process that may die or stand still. */
interface Process {
  state: 'running' | 'ended' | 'dead' | 'waiting'
  /** The fence when it began to wait: a higher one tells that another run has gone ahead. */
  fence: number
  wake: () => void
  /** It met no fault. */
  isWhole: boolean
  /** All that the stores had when it last looked: what comes later, it cannot know of. */
  seen: string
}

/** A scenario in play: its processes share one count of boundaries, and one plan of faults. */
export async function inPlay(scenario: Scenario, plan: readonly Planned[]) {
  const world = await scenario.prepare()
  const crossed: Boundary[] = []
  const waiting: Process[] = []
  const presented = judgedPresentations(world)
  let falseAlarms = 0
  let wholeRuns = 0
  let deadReads = 0
  const outcomes: unknown[] = []

  /** Starts an invocation, if one is due, and lets everything happen that can. */
  async function launch(): Promise<Process | undefined> {
    if (!isDue(world)) return undefined
    const process: Process = {
      state: 'running',
      fence: 0,
      wake: () => {},
      isWhole: true,
      seen: '',
    }
    const ports = {
      ...world.ports,
      events: {
        async emit(event: RotatorEvent) {
          const isSeen = takenBy(world.fake).some((token) => process.seen.includes(token))
          const isFalse = isSeen && isSafe(world) && !isLeftInDoubt(world)
          if (event.type === 'Enrollment Required' && isFalse) falseAlarms++
          await world.events.emit(event)
        },
      },
    }
    const gone = <R>() => new Promise<R>(() => {})
    const wait = () => {
      process.state = 'waiting'
      process.fence = fenceOf(world)
      waiting.push(process)
      return new Promise<void>((resolve) => {
        process.wake = resolve
      })
    }
    const through = interposed(ports, async <R>(name: Boundary, made: () => Promise<R>) => {
      const call = (hasBeenPassed = false) => {
        if (name === 'secrets.read') process.seen = storedBy(world).join('\n')
        if (name.startsWith('vendor.')) presented.by(hasBeenPassed ? '' : process.seen)
        return made()
      }
      // Whatever else the process had begun ends with it.
      if (process.state === 'dead') return gone<R>()
      const at = crossed.push(name) - 1
      const fault = plan.find((planned) => planned.at === at)?.fault
      if (fault === undefined) return call()
      process.isWhole = false
      if (fault === 'freeze') {
        await wait()
        // Only at this very call: a run that stood still before its last look at the clock is to notice.
        return call(fenceOf(world) > process.fence)
      }
      const answer = fault === 'die before' ? undefined : await settle(call)
      if (fault === 'lose the answer') throw unanswered(name)
      if (fault === 'answer late') {
        await wait()
        return (answer as () => R)()
      }
      process.state = 'dead'
      return gone<R>()
    })
    void world.invoke(through).then((outcome) => {
      outcomes.push(outcome)
      if (process.state === 'dead') return
      process.state = 'ended'
      // Whoever found the lease taken, or had to wait in doubt, has asked nothing of the vendor.
      const hasAsked = outcome?.outcome !== 'lease-held' && outcome?.outcome !== 'blocked'
      if (process.isWhole && hasAsked) wholeRuns++
    })
    await everything()
    return process
  }

  async function wake(process: Process) {
    waiting.splice(waiting.indexOf(process), 1)
    process.state = 'running'
    process.wake()
    await everything()
  }

  /** A reader looks once a minute. */
  function read() {
    const token = world.published()
    if (token === undefined || world.fake.isAlive(token) || isPastHelp(world, scenario)) return
    // A vendor that answers a second sending with the end of all that it gave; counted as raced.
    if (presented.raced() > 0 && takenBy(world.fake).length === 0) return
    // A reader is served while the vendor answers at least once per margin; who is interrupted twice,
    // or came too late for a session, has not had that answer yet.
    const isExcused = wholeRuns === 0 && (plan.length > 1 || scenario.dead !== undefined)
    if (!isExcused) deadReads++
  }

  function verdict(over: number): Verdict {
    const isWhole = holds(world)
    const isFresh = isWhole && world.fake.isAlive(world.published() ?? '')
    const isWell = isFresh && world.item().incident === undefined
    return {
      crossed,
      over,
      isPastHelp: isPastHelp(world, scenario),
      raced: presented.raced(),
      doubleSpends: presented.unexcused(),
      lostPairs: !isWhole && isSafe(world) ? 1 : 0,
      deadReads,
      unrecovered: isWell || isPastHelp(world, scenario) ? 0 : 1,
      duplicatePages: duplicatePages(world.events.emitted),
      falseAlarms,
      leaks: leaksOf(world, outcomes),
    }
  }

  return { world, crossed, waiting, launch, wake, read, verdict }
}

/** All that is not waiting for the clock or for an answer happens before the next turn of the loop. */
async function everything() {
  await setImmediate()
}

async function settle<R>(call: () => Promise<R>): Promise<() => R> {
  try {
    const answer = await call()
    return () => answer
  } catch (error) {
    return () => {
      throw error
    }
  }
}

function itemOf({ ledger, connection }: AnyWorld) {
  return ledger.items.get(connection.id)
}

export function fenceOf(world: AnyWorld): number {
  return itemOf(world)?.fence ?? 0
}

function isDue(world: AnyWorld): boolean {
  return (itemOf(world)?.dueAt ?? world.clock.now()) <= world.clock.now()
}

function storedBy({ secrets, enrollment, parameters, elsewhere }: AnyWorld): readonly string[] {
  return [...secrets.texts(enrollment), ...parameters.values.values(), ...elsewhere()]
}

/** Tokens of fakes are shorter than real ones, and long enough not to be found by chance. */
const shortestSecret = 8

function leaksOf(world: AnyWorld, outcomes: readonly unknown[]): number {
  const stored = [...storedBy(world), ...world.secrets.texts(world.consumer)]
  const search = canaries(stored.flatMap((text) => secretsOf(JSON.parse(text), shortestSecret)))
  return search.find(JSON.stringify([outcomes, world.events.emitted, itemOf(world)])).length
}

function holds(world: AnyWorld): boolean {
  const held = world.secrets.current(world.enrollment)?.refreshToken as string | undefined
  return isHeld(held, world.fake)
}

/** Whether any store has what the vendor would take. */
function isSafe(world: AnyWorld): boolean {
  return isStored(takenBy(world.fake), storedBy(world))
}

/** What cannot be had: the pair was bought and is nowhere, nothing else restarts the chain, and a person knows. */
function isPastHelp(world: AnyWorld, { restarts }: Scenario): boolean {
  const told = itemOf(world)?.incident?.told ?? []
  if (restarts || !told.includes('enrollment-required')) return false
  return !isSafe(world) || isLeftInDoubt(world)
}

/** The other thing that cannot be had. A version beside the one it was sent from shows that it was answered. */
function isLeftInDoubt(world: AnyWorld): boolean {
  const item = itemOf(world)
  if (world.secrets.labelled(world.enrollment) !== item?.intent?.versionId) return false
  return isAnnouncedTwice(item, takenBy(world.fake))
}

/** Whether nothing is left to be carried on with. */
export function isOver(world: AnyWorld, scenario: Scenario): boolean {
  if (isPastHelp(world, scenario)) return true
  const item = itemOf(world)
  const { lease, incident, intent, requested, published } = item ?? {}
  const isQuiet = !lease && !incident && !intent && !requested
  if (!isQuiet || !published?.proven || !holds(world)) return false
  return !isDue(world) && world.fake.isAlive(world.published() ?? '')
}

/** Counts presentations as the vendor sees them, each judged at the moment it is made. */
function judgedPresentations(world: AnyWorld) {
  const { presented, tip } = world.fake
  const set = presented.set.bind(presented)
  let unexcused = 0
  let raced = 0
  let seen = ''
  presented.set = (token, times) => {
    // What the former presentation bought, as the vendor takes it now.
    const pair = tip() ?? ''
    const isNowhere = pair !== '' && !storedBy(world).some((text) => text.includes(pair))
    const isProbe = times - raced === 2 && isNowhere
    if (times > 1 && !isProbe) {
      if (pair !== '' && !seen.includes(pair)) raced++
      else unexcused++
    }
    return set(token, times)
  }
  return {
    /** The next presentation is by a run that has seen this in the stores. */
    by(stored: string) {
      seen = stored
    },
    unexcused: () => unexcused,
    raced: () => raced,
  }
}

function duplicatePages(events: readonly RotatorEvent[]): number {
  const pages = new Pages()
  return events.filter((event) => pages.hears(event) === 'told again').length
}
