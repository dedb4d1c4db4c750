import { type ArgsDef, parseArgs } from 'citty'
import { choiceOption, numberOption, refuseUndeclared, UsageError } from '../lib/cli/arguments.ts'
import { furtherScenarios, type Scenario, scenarios, vendorOf } from '../test/core/scenarios.ts'
import {
  lossNames,
  newTally,
  overlaps,
  singlesAndPairs,
  type Tally,
} from '../test/simulation/exhaustive.ts'

const everyScenario = [...scenarios, ...furtherScenarios]
const vendors = [...new Set(everyScenario.map(vendorOf))]
const failuresShown = 20

const declared = {
  exhaustive: { type: 'boolean', default: false, description: 'every fault at every boundary' },
  vendor: { type: 'string', valueHint: 'id', description: `one of ${vendors.join(', ')}` },
  sockets: { type: 'boolean', default: false, description: 'kill the functions under load' },
  kills: { type: 'string', default: '200', valueHint: 'n', description: 'how often' },
  compare: { type: 'boolean', default: false, description: 'beside models of how others do it' },
  seeds: { type: 'string', default: '1000', valueHint: 'n', description: 'worlds to compare in' },
  seed: {
    type: 'string',
    default: '1',
    valueHint: 'text',
    description: 'when to kill; first world',
  },
  json: { type: 'boolean', default: false, description: 'one line of JSON instead of a table' },
} as const satisfies ArgsDef

// `npm run torture -- --exhaustive`: interrupts the shipped engine at every boundary in every way, alone
// and in pairs, and lets two runs meet at every two boundaries. `--sockets`: kills the shipped functions
// at random instants. `--compare`: the same faults against models of how others do it. Status 1: something
// was lost.
try {
  process.exitCode = await torture(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`torture: ${error.message}\n`)
  process.exitCode = 2
}

async function torture(rawArgs: string[]): Promise<number> {
  refuseUndeclared(rawArgs, declared)
  const { exhaustive, sockets, compare, kills, seeds, seed, vendor, json } = parseArgs<
    typeof declared
  >(rawArgs, declared)
  if (sockets) {
    const { killCommand } = await import('../test/sockets/kill-command.ts')
    const often = numberOption('kills', kills, { min: 1, max: 100_000, whole: true })
    return killCommand({ kills: often, seed, json })
  }
  if (compare) {
    const { compareCommand } = await import('../test/simulation/compare-command.ts')
    const worlds = numberOption('seeds', seeds, { min: 1, max: 1_000_000, whole: true })
    const first = numberOption('seed', seed, { min: 0, max: 2 ** 31 - 1, whole: true })
    return compareCommand({ firstSeed: first, seeds: worlds, json })
  }
  if (!exhaustive)
    throw new UsageError('nothing to do; allowed: --exhaustive, --sockets, --compare')
  const only = vendor === undefined ? undefined : choiceOption('--vendor', vendor, vendors)

  const columns = ['single', 'pairs', 'overlaps', 'enrollments', 'raced', ...lossNames] as const
  const print = (title: string, cells: readonly (string | number)[]) => {
    if (json) return
    const widths = [...columns, 'seconds'].map(({ length }) => length + 2)
    const row = cells.map((cell, index) => String(cell).padStart(widths[index] ?? 0))
    process.stdout.write(`${title.padEnd(50)}${row.join('')}\n`)
  }
  const row = (tally: Tally) => columns.map((name) => tally[name])

  const total = newTally()
  const start = performance.now()
  print('scenario', [...columns, 'seconds'])
  for (const scenario of everyScenario.filter(
    (one) => only === undefined || vendorOf(one) === only,
  )) {
    const [tally, seconds] = await measured(scenario)
    for (const name of columns) total[name] += tally[name]
    print(scenario.title, [...row(tally), seconds])
    for (const failure of tally.failures.slice(0, failuresShown)) {
      process.stderr.write(`${failure}\n`)
    }
    const unshown = tally.failures.length - failuresShown
    if (unshown > 0) process.stderr.write(`${scenario.title}: and ${unshown} more\n`)
  }
  const seconds = secondsSince(start)
  print('all', [...row(total), seconds])
  if (json) {
    const figures = Object.fromEntries(columns.map((name) => [name, total[name]]))
    const schedules = total.single + total.pairs + total.overlaps
    process.stdout.write(`${JSON.stringify({ schedules, ...figures, seconds })}\n`)
  }
  return lossNames.every((name) => total[name] === 0) ? 0 : 1
}

async function measured(scenario: Scenario): Promise<[Tally, number]> {
  const tally = newTally()
  const start = performance.now()
  await singlesAndPairs(scenario, tally)
  await overlaps(scenario, tally)
  return [tally, secondsSince(start)]
}

function secondsSince(start: number): number {
  return Math.round((performance.now() - start) / 100) / 10
}
