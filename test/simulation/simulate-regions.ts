import type { Connection } from '../../lib/core/connection.ts'
import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import { StoreError } from '../../lib/core/errors.ts'
import type { Peer } from '../../lib/core/ports.ts'
import type { Outcome } from '../../lib/core/release.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import { takeOver } from '../../lib/core/take-over.ts'
import { tick } from '../../lib/core/tick.ts'
import { chanceOf } from './chance.ts'
import { SimulatedCloud, SimulatedSecret } from './cloud.ts'
import { type Condition, planDrill } from './drill.ts'
import { fateOf } from './fate.ts'
import { Judge } from './invariants.ts'
import { type Loss, lossNames } from './losses.ts'
import { act, type Desk, enrollAtLast } from './people.ts'
import { Process } from './process.ts'
import { portsOf } from './process-ports.ts'
import { type Region, ReplicaSecret, viewOf } from './replica.ts'
import type { Simulated, SimulationOptions } from './simulate.ts'
import { species as everySpecies } from './subjects.ts'
import { type Instant, newTimeline } from './timeline.ts'
import { troublesOf } from './troubles.ts'
import { peopleActs, weatherOf } from './weather.ts'

const start: Instant = Date.parse('2026-01-01T00:00:00Z')
const minuteMs = 60_000
const hourMs = 3_600_000
const functionMs = 300_000
const commandMs = 60_000
const quietMs = 3 * hourMs

/** A world of two regions, of which people make now the one, now the other do the work. */
export async function simulateRegions(
  seed: number,
  options: SimulationOptions = {},
): Promise<Simulated> {
  const { species = everySpecies, hours = 12, spared = new Set<number>(), trace, through } = options
  const chance = chanceOf(seed)
  const kind = chance.one(species)
  const timeline = newTimeline(start)
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
  const calls = chance.apart(3)
  const first: Region = { name: 'eu-central-1', cloud: new SimulatedCloud() }
  const second: Region = { name: 'eu-west-1', cloud: new SimulatedCloud() }
  const both = [first, second]
  const condition: Condition = { home: first, isCut: false, isDown: false }
  // Whoever has just asked the other region, and got no answer, cannot know what it holds.
  let unansweredAt = 0
  const reachable = () => {
    const isMissed = timeline.now() - unansweredAt < minuteMs
    return condition.isCut || isMissed ? [condition.home] : both
  }

  const losses = Object.fromEntries(lossNames.map((name) => [name, 0])) as Record<Loss, number>
  const breaches: { loss: Loss; why: string }[] = []
  const breach = (loss: Loss, why: string) => {
    losses[loss]++
    breaches.push({ loss, why })
    note('BREACH', `${loss}: ${why}`)
  }

  const connection: Connection = {
    id: 'subject-1',
    vendor: kind.vendor.id,
    options: kind.options,
  }
  const { id } = connection
  const isEnforced = chance.happens(0.5)
  const lagMs = chance.between(200, chance.one([2000, 20_000, 120_000]))
  for (const secretId of [enrollmentSecretId(id), consumerSecretId(id)]) {
    const primary = new SimulatedSecret(isEnforced)
    first.cloud.secrets.set(secretId, primary)
    second.cloud.secrets.set(secretId, new ReplicaSecret(isEnforced, primary, lagMs))
  }
  const settled = kind.settle(() => new Date(timeline.now()))
  const judge = new Judge(
    { ...settled, connection, species: kind },
    { cloud: viewOf(() => condition.home, reachable), timeline, breach },
  )

  function processIn({ cloud }: Region, name: string, endsAt: Instant): Process {
    const world = { timeline, cloud, weather, troubles, chance: calls, note }
    return new Process(name, world, fateOf(troubles, timeline.now(), endsAt))
  }

  function openPorts(process: Process, region: Region) {
    const ports = portsOf(process, defaultTimings, () => () => settled.fake.http())
    const peers = both.filter((each) => each !== region).map((each) => peerOf(process, each))
    const whole = { ...ports, regions: { own: region.name, first: first.name, peers } }
    return { regions: whole.regions, ...(through?.(whole, { cloud: region.cloud }) ?? whole) }
  }

  /** Another region, as a process sees it. */
  function peerOf(process: Process, { name, cloud }: Region): Peer {
    const call = <R>(what: string, effect: () => R) => {
      const answer = process.store('ledger', `${what} in ${name}`, () => {
        if (condition.isCut) throw new StoreError(`${what} was not answered`, 'retry')
        return effect()
      })
      answer.catch(() => {
        if (name !== condition.home.name) unansweredAt = timeline.now()
      })
      return answer
    }
    const lag = () => troubles.befalls('stale read', timeline.now())?.between(100, 5000) ?? 0
    return {
      region: name,
      ledger: {
        read: (_vendor, connection) => call('ledger.read', () => cloud.items.get(connection)),
        write: (item) => call('ledger.write', () => cloud.write(item)),
      },
      secrets: {
        read: (secretId, version) =>
          call('secrets.read', () => cloud.secret(secretId).read(version, timeline.now() - lag())),
      },
      parameters: {
        read: (parameter) => call('parameters.read', () => cloud.parameters.get(parameter)),
      },
    }
  }

  let ids = 0
  const newId = () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`
  const desk: Desk = {
    ...{ timeline, note, newId },
    get cloud() {
      return condition.home.cloud
    },
    command: (name) => commandIn(condition.home, name),
  }
  function commandIn(region: Region, name: string) {
    const process = processIn(region, name, timeline.now() + commandMs)
    return {
      ports: openPorts(process, region),
      remainingSeconds: () => process.remainingSeconds(),
    }
  }
  void enrollAtLast(judge, desk)

  let lastTroubleAt: Instant = start
  planDrill(chance.apart(6), start + hourMs, quietFrom - 10 * minuteMs, {
    ...{ condition, first, second, timeline, note },
    connections: [id],
    /** Given again until it is done; a command that is not answered may have done it. */
    async takeOver(region) {
      for (;;) {
        const { ports, remainingSeconds } = commandIn(region, 'a person takes over')
        const run = { connection, vendor: kind.vendor, runId: newId(), remainingSeconds }
        const given = takeOver(run, ports).catch(() => 'failed' as const)
        const late = new Promise<'late'>((resolve) => {
          timeline.at(timeline.now() + 90_000, () => resolve('late'))
        })
        const result = await Promise.race([given, late])
        if (typeof result === 'object') return
        if (result !== 'late') await late
      }
    },
    moved() {
      judge.moves()
      lastTroubleAt = timeline.now()
    },
  })

  let runs = 0
  let invocations = 0
  let enrollments = 0
  const outcomes: Outcome[] = []
  function invoke(region: Region) {
    const startedAt = timeline.now()
    const name = `${region.name} ${++invocations}`
    const process = processIn(region, name, startedAt + functionMs)
    const newRunId = () => `run-${++runs}`
    const remainingSeconds = () => process.remainingSeconds()
    const frame = { vendor: kind.vendor, connections: [connection], remainingSeconds, newRunId }
    tick(frame, openPorts(process, region)).then(
      (found) => {
        for (const outcome of found) {
          if (process.isGone()) continue
          const { outcome: what, cause, dueAt, message = '' } = outcome
          note(region.name, `${what} ${cause ?? ''} ${message} ${dueAt?.toISOString() ?? ''}`)
          outcomes.push(outcome)
          if (outcomes.length > 20) outcomes.shift()
          const isIdle = ['lease-held', 'deferred', 'blocked', 'standby'].includes(what)
          if (region === condition.home && !isIdle) judge.worked(startedAt, process.isDisturbed)
        }
      },
      (error) => note(region.name, `a tick fails: ${error}`),
    )
  }

  for (const region of both) {
    const told = new Map<string, string>()
    region.cloud.listener = (event) => {
      if (region !== condition.home) {
        if (event.type === 'Token Recovered') told.clear()
        const known = told.get(event.detail.cause ?? '')
        if (known !== undefined && known !== event.idempotencyKey) {
          breach('duplicatePages', `told again in ${region.name}: ${event.detail.cause}`)
        }
        if (event.detail.cause !== undefined) told.set(event.detail.cause, event.idempotencyKey)
        return
      }
      if (!judge.hears(event)) return
      enrollments++
      const soon = timeline.now() + chance.between(minuteMs, 4 * hourMs)
      timeline.at(Math.min(soon, quietFrom + minuteMs), () => {
        if (judge.isHopeless()) void enrollAtLast(judge, desk)
      })
    }
  }

  function everyMinute() {
    const now = timeline.now()
    lastTroubleAt = Math.max(lastTroubleAt, troubles.happened.at(-1)?.instant ?? start)
    const services = ['secrets', 'ledger', 'parameters', 'events', 'vendor'] as const
    const isAway = services.some((service) => weather.isAway(service, now))
    if (isAway || condition.isCut || judge.item()?.takingOver !== undefined) lastTroubleAt = now
    judge.freshOrRefused(lastTroubleAt)
    for (const region of both) {
      if (region === first && condition.isDown) continue
      const dueAt = region.cloud.items.get(id)?.dueAt.getTime() ?? 0
      if (dueAt > now + 1500) continue
      if (troubles.befalls('missed tick', now) === undefined) invoke(region)
      const again = troubles.befalls('duplicate tick', now)
      if (again !== undefined) {
        timeline.at(now + again.between(1, again.one([500, 90_000])), () => invoke(region))
      }
    }
    timeline.at(now + minuteMs, everyMinute)
  }
  timeline.at(start + 1000, everyMinute)

  function everyHour() {
    const now = timeline.now()
    for (const deed of peopleActs) {
      const particulars = troubles.befalls(deed, now)
      const when = now + (particulars?.between(0, hourMs) ?? 0)
      if (particulars === undefined || when >= quietFrom) continue
      timeline.at(when, () => {
        // With the item goes a take-over that is not yet settled: then nobody has taken over.
        const isForgetting = deed === 'delete ledger item' && judge.item()?.takingOver !== undefined
        if (!isForgetting) void act(deed, judge, desk, particulars)
      })
    }
    timeline.at(now + hourMs, everyHour)
  }
  timeline.at(start + minuteMs, everyHour)

  await timeline.until(quietFrom)
  const before = judge.item()?.rotations ?? 0
  for (let now = quietFrom; now < quietFrom + quietMs; ) {
    now += 10 * minuteMs
    await timeline.until(now)
    const rotations = judge.item()?.rotations ?? 0
    const isRenewed = rotations > before || kind.vendor.idleSeconds !== undefined
    if (isRenewed && judge.isWell()) break
  }
  judge.noPairLost()
  judge.noEditLost()
  if (!judge.isWell()) breach('unrecovered', `${id} is not well in the end`)
  const items = both.map(({ cloud }) => cloud.items.get(id))
  const events = both.map(({ cloud }) => cloud.events.slice(-40))
  judge.noSecretLeaves(JSON.stringify([items, events, outcomes]))

  return {
    seed,
    species: kind.name,
    rotations: items.reduce((sum, item) => sum + (item?.rotations ?? 0), 0),
    runs,
    spends: judge.spends,
    happened: troubles.happened,
    ...{ enrollments, losses, breaches, digest },
  }
}
