import type { Connection } from '../../../lib/core/connection.ts'
import { consumerSecretId, enrollmentSecretId } from '../../../lib/core/documents.ts'
import { defaultTimings } from '../../../lib/core/renewal.ts'
import { chanceOf } from '../chance.ts'
import { SimulatedCloud, SimulatedSecret } from '../cloud.ts'
import { fateOf } from '../fate.ts'
import type { Surroundings } from '../process.ts'
import { portsOf } from '../process-ports.ts'
import { species as everySpecies, type Species } from '../subjects.ts'
import { newTimeline } from '../timeline.ts'
import { type Troubles, troublesOf } from '../troubles.ts'
import { scheduleTroubles, weatherOf } from '../weather.ts'
import type { ContenderKind, Hands, Site } from './contender.ts'
import { type Figures, OutsideJudge } from './judge.ts'
import { WatchedProcess } from './watched-process.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const minuteMs = 60_000
const hourMs = 3_600_000
const functionMs = 300_000
const commandMs = 60_000
// Longer than a token, the longest wait for a person, and the token that they enroll.
const quietMs = 8 * hourMs
/** After so many minutes of refusals somebody comes to look, asked or not. */
const noticedAfter = 180

/** Vendors whose refresh tokens are good once, and where nothing but a person restarts a broken chain. */
export const singleUse: readonly Species[] = everySpecies.filter(
  ({ name, restarts }) => !restarts && /^kaspersky-mdr$|^oauth2, single use/.test(name),
)

export interface Played extends Figures {
  readonly species: string
  /** Of everything that happened, in its order. */
  readonly digest: number
}

export interface WorldOptions {
  /** Hours with trouble. Default 12. */
  readonly hours?: number
  /** Receives each line of the trace. */
  readonly trace?: (line: string) => void
}

/**
 * One contender in the world of a seed. Vendor, weather, outages, how long a person takes, and the luck of
 * each minute's tick and of each of its calls, one by one, belong to the seed: they are the same for all.
 */
export async function play(
  seed: number,
  kind: ContenderKind,
  { hours = 12, trace }: WorldOptions = {},
): Promise<Played> {
  const chance = chanceOf(seed)
  const species = chance.one(singleUse)
  const timeline = newTimeline(start)
  const cloud = new SimulatedCloud()
  const quietFrom = start + hours * hourMs
  const weather = weatherOf(chance.apart(1), start, quietFrom)
  const people = chance.apart(2)
  let digest = seed | 0
  const note = (who: string, what: string) => {
    for (let index = 0; index < what.length; index++) {
      digest = Math.imul(digest ^ what.charCodeAt(index), 0x01000193)
    }
    digest = Math.imul(digest ^ (timeline.now() | 0), 0x01000193)
    trace?.(`${new Date(timeline.now()).toISOString()} ${who}: ${what}`)
  }

  const connection: Connection = {
    id: 'subject-1',
    vendor: species.vendor.id,
    options: species.options,
  }
  const isEnforced = chance.happens(0.5)
  for (const id of [enrollmentSecretId, consumerSecretId]) {
    cloud.secrets.set(id(connection.id), new SimulatedSecret(isEnforced))
  }
  let ids = 0
  const newId = () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`
  const site: Site = { timeline, cloud, connection, vendor: species.vendor, newId }
  const { fake, atTheConsole } = species.settle(() => new Date(timeline.now()))
  const contender = kind.settle(site)
  const judge = new OutsideJudge(fake, contender, (what) => note('JUDGE', what))

  /** A process whose luck is its own. */
  function handsOf(name: string, lifeMs: number, luck: number): Hands {
    const own = chance.apart(luck)
    const troubles = troublesOf(own.apart(1), weather, quietFrom, new Set())
    const world: Surroundings = { timeline, cloud, weather, troubles, chance: own.apart(2), note }
    const now = timeline.now()
    const fate = fateOf(ofStart(own.apart(3)), now, now + lifeMs)
    const process = new WatchedProcess(name, world, fate, kind.tries)
    const ports = portsOf(process, defaultTimings, () => judge.vendorOf(process))
    const { connect } = ports
    return {
      process,
      ports: {
        ...ports,
        connect: (to, vendor, enrolled) => connect(to, judge.watched(vendor, process), enrolled),
      },
    }
  }
  function ofStart(own: typeof chance): Troubles {
    return troublesOf(own, weather, quietFrom, new Set())
  }

  function invoke(name: string, luck: number) {
    const hands = handsOf(name, functionMs, luck)
    void contender
      .tick(hands)
      .catch((error) => note(name, `fails: ${error}`))
      .then(() => {
        hands.process.isOver = true
      })
  }

  let isSomebodyComing = false
  let commands = 0
  /** Enrolls what the console gives, again until it is done. */
  function enroll() {
    const hands = handsOf('a person enrolls', commandMs, 3_000_000 + ++commands)
    const fields = atTheConsole()
    judge.consoleGave(String(fields.refreshToken))
    let isSettled = false
    const settled = (isDone: boolean, waitMs: number) => {
      if (isSettled) return
      isSettled = true
      hands.process.isOver = true
      if (isDone) isSomebodyComing = false
      else timeline.at(timeline.now() + waitMs, enroll)
    }
    contender.enroll(fields, hands).then(
      (isDone) => settled(isDone, 90_000),
      () => settled(false, 90_000),
    )
    timeline.at(timeline.now() + 2 * commandMs, () => settled(false, 0))
  }
  isSomebodyComing = true
  enroll()

  /** A person who is asked, or who sees that readers are refused, comes some time later, if still needed. */
  const isNeeded = () => contender.asks() || judge.refusedFor > noticedAfter
  function lookForPerson() {
    if (isSomebodyComing || !isNeeded()) return
    isSomebodyComing = true
    note('the connection', contender.asks() ? 'asks for a person' : 'is found refused')
    timeline.at(timeline.now() + people.between(minuteMs, 4 * hourMs), () => {
      if (isNeeded()) {
        judge.needed()
        enroll()
      } else isSomebodyComing = false
    })
  }

  let minute = 0
  function everyMinute() {
    const now = timeline.now()
    const number = ++minute
    judge.everyMinute(isSomebodyComing)
    lookForPerson()
    if (contender.dueAt() <= now + 1500) {
      const odd = ofStart(chance.apart(2_000_000 + number)).oneOf(scheduleTroubles, now)
      if (odd?.trouble !== 'missed tick') invoke(`tick ${number}`, number * 2 + 10)
      if (odd?.trouble === 'duplicate tick') {
        const again = now + odd.chance.between(1, odd.chance.one([500, 90_000]))
        timeline.at(again, () => invoke(`tick ${number}, again`, number * 2 + 11))
      }
    }
    timeline.at(now + minuteMs, everyMinute)
  }
  timeline.at(start + 1000, everyMinute)

  await timeline.until(quietFrom + quietMs)
  return { species: species.name, digest, ...judge.figures }
}
