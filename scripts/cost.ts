import { encodeLedgerItem } from '../lib/core/ledger-document.ts'
import { measure, outcomeCode } from '../lib/core/measure.ts'
import type { Outcome } from '../lib/core/release.ts'
import { defaultTimings } from '../lib/core/renewal.ts'
import type { Ports } from '../lib/core/run.ts'
import { kicsWorld } from '../test/core/kics-world.ts'
import type { AnyWorld } from '../test/core/scenarios.ts'
import { ftdWorld, incydrWorld, kscWorld, mdrWorld, oauth2World } from '../test/core/world.ts'

// `npm run -s cost`: plays the second day of each vendor, on ports in memory, counts the calls that the
// engine makes of AWS, and multiplies. The first day fills the ledger's history.

const days = 365 / 12
const ticksPerDay = 24 * 60

/** List prices in USD, us-east-1, as commonly quoted; check yours. */
const price = {
  secretMonth: 0.4,
  secretCall: 0.05 / 10_000,
  writeUnit: 0.625 / 1e6,
  readUnit: 0.125 / 1e6,
  invocation: 0.2 / 1e6,
  gigabyteSecond: 0.0000133334,
  event: 1 / 1e6,
  metricMonth: 0.3,
  alarmMonth: 0.1,
}

/** What is assumed and not counted, as it depends on the vendor's speed. */
const assumed = { idleTickSeconds: 0.1, runSeconds: 2, gigabytes: 0.5 }

/** What is watched beside the metrics of a connection, which are counted (`docs/observability.md`). */
const watched = {
  connection: { alarms: 3 },
  /** Its ticks, and its calls against five quotas. */
  function: { metrics: 6, alarms: 4 },
  /** On the queue of dead letters. */
  installation: { alarms: 1 },
}

/** Secrets Manager's quota of writes per second, all kinds together, in an account's region. */
const writesPerSecond = 50

const worlds: readonly (readonly [string, () => AnyWorld])[] = [
  ['kaspersky-mdr, 1 h', mdrWorld],
  ['cisco-ftd, 30 min', ftdWorld],
  ['code42-incydr, API client, 15 min', () => incydrWorld()],
  ['code42-incydr, user, 30 min', () => incydrWorld('user-token')],
  ['kics-for-networks, 10 h', () => kicsWorld()],
  ['kaspersky-security-center, session', kscWorld],
  ['oauth2, refresh token, 1 h', () => oauth2World({ accessSeconds: 3600 })],
]

/** What a connection calls in a day. */
interface Day {
  rotations: number
  runs: number
  secretReads: number
  secretWrites: number
  readUnits: number
  writeUnits: number
  events: number
  /** A metric costs for each hour in which it is written: hours and names. */
  metricHours: Set<string>
}

const units = (bytes: number, each: number) => Math.max(1, Math.ceil(bytes / each))

/** The world's ports, with every call counted as AWS bills it. */
function counting({ ports, ledger, connection }: AnyWorld, day: Day): Ports {
  const { secrets, events } = ports
  const size = () => {
    const item = ledger.items.get(connection.id)
    return item === undefined ? 0 : JSON.stringify(encodeLedgerItem(item)).length
  }
  const counted =
    <A extends unknown[], R>(count: () => void, call: (...args: A) => R) =>
    (...args: A): R => {
      count()
      return call(...args)
    }
  return {
    ...ports,
    secrets: {
      read: counted(() => day.secretReads++, secrets.read),
      currentId: counted(() => day.secretReads++, secrets.currentId),
      put: counted(() => day.secretWrites++, secrets.put),
      promote: counted(() => day.secretWrites++, secrets.promote),
    },
    ledger: {
      ...ledger,
      read: counted(() => {
        day.readUnits += units(size(), 4096)
      }, ledger.read),
      async write(item) {
        const before = ledger.items.get(item.connection)?.dueAt.getTime()
        const written = await ledger.write(item)
        // The index has keys alone: another due time takes one entry out and puts one in.
        const isMoved = item.dueAt.getTime() !== before
        day.writeUnits += units(size(), 1024) + (isMoved ? 2 : 0)
        return written
      },
    },
    events: { emit: counted(() => day.events++, events.emit) },
  }
}

async function secondDay(make: () => AnyWorld): Promise<Day> {
  const world = make()
  await world.minutes(ticksPerDay)
  const day = { rotations: -world.item().rotations, runs: 0, secretReads: 0, secretWrites: 0 }
  const metricHours = new Set<string>()
  const counted: Day = { ...day, readUnits: 0, writeUnits: 0, events: 0, metricHours }
  const ports = counting(world, counted)
  for (let minute = 0; minute < ticksPerDay; minute++) {
    const outcome = await world.invoke(ports)
    if (outcome !== undefined) counted.runs++
    for (const name of metricsOf(world, outcome)) {
      metricHours.add(`${Math.floor(minute / 60)} ${name}`)
    }
    // Its share of the query that measures all connections of the vendor.
    counted.readUnits += JSON.stringify(encodeLedgerItem(world.item())).length / 4096
    world.clock.advance(60)
  }
  counted.rotations += world.item().rotations
  return counted
}

/** Names, with the code where that is one of a metric's dimensions, of what a tick writes of a connection. */
function metricsOf({ item, vendor, clock }: AnyWorld, outcome: Outcome | undefined): string[] {
  const standing = Object.keys(measure(item(), vendor, clock.now(), defaultTimings))
  if (outcome === undefined) return standing
  const isRotation = outcome.outcome === 'rotated' || outcome.outcome === 'recovered'
  return [
    ...standing,
    `Outcome ${outcomeCode(outcome)}`,
    ...(isRotation ? ['RotationDuration'] : []),
  ]
}

const month = (perDay: number) => perDay * days
const usd = (amount: number) => amount.toFixed(2)
const columns = [38, 10, 8, 8, 8, 9, 9, 8, 8, 9, 8]
const print = (cells: readonly (string | number)[]) => {
  const row = cells.map((cell, index) =>
    index === 0 ? String(cell).padEnd(columns[0] ?? 0) : String(cell).padStart(columns[index] ?? 0),
  )
  process.stdout.write(`${row.join('')}\n`)
}

print([
  'a connection, a day | USD a month',
  'rotations',
  'writes',
  'reads',
  'WRU',
  'RRU',
  'metrics',
  'calls',
  'ledger',
  'function',
  'all',
])
const { connection } = watched
const fleets: [string, string][] = []
for (const [title, make] of worlds) {
  const day = await secondDay(make)
  const calls = month(day.secretReads + day.secretWrites) * price.secretCall
  const ledger = month(day.writeUnits * price.writeUnit + day.readUnits * price.readUnit)
  const seconds = day.runs * assumed.runSeconds * assumed.gigabytes
  const runs = month(seconds * price.gigabyteSecond + day.events * price.event)
  const metrics = day.metricHours.size / 24
  const fixed =
    2 * price.secretMonth + metrics * price.metricMonth + connection.alarms * price.alarmMonth
  print([
    title,
    day.rotations,
    day.secretWrites,
    day.secretReads,
    day.writeUnits,
    Math.round(day.readUnits),
    metrics.toFixed(1),
    usd(calls),
    usd(ledger),
    usd(runs),
    usd(fixed + calls + ledger + runs),
  ])
  const fleet = Math.floor((writesPerSecond * 86_400) / day.secretWrites)
  fleets.push([title, day.secretWrites === 0 ? 'writes nothing' : String(fleet)])
}

const idle =
  month(ticksPerDay) *
  (price.invocation +
    assumed.idleTickSeconds * assumed.gigabytes * price.gigabyteSecond +
    2 * price.readUnit)
const seen =
  watched.function.metrics * price.metricMonth + watched.function.alarms * price.alarmMonth
process.stdout.write(`
Each connection: 2 secrets ${usd(2 * price.secretMonth)}, ${connection.alarms} alarms ${usd(connection.alarms * price.alarmMonth)}, metrics at ${usd(price.metricMonth)}, all included.
Each vendor's function: ${Math.round(month(ticksPerDay))} ticks ${usd(idle)}, ${watched.function.metrics} metrics and ${watched.function.alarms} alarms ${usd(seen)}, ${usd(idle + seen)} USD a month in all.
Each installation: an alarm ${usd(watched.installation.alarms * price.alarmMonth)}.
Assumed: ${assumed.idleTickSeconds} s for a tick without work, ${assumed.runSeconds} s for a run, ${assumed.gigabytes} GB.

Connections whose writes, evenly spread, fill Secrets Manager's ${writesPerSecond} a second in a region:
${fleets.map(([title, count]) => `  ${title.padEnd(36)} ${count}`).join('\n')}
`)
