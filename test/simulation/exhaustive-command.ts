import { furtherScenarios, type Scenario, scenarios, vendorOf } from '../core/scenarios.ts'
import { lossNames, newTally, overlaps, singlesAndPairs, type Tally } from './exhaustive.ts'

const failuresShown = 20

/**
 * `npm run torture -- --exhaustive`: interrupts runs everywhere, counts and prints.
 *
 * @returns the exit status: 1 if anything was lost
 */
export async function exhaustiveCommand(options: {
  readonly vendor?: string
  readonly json: boolean
}): Promise<number> {
  const { vendor, json } = options
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
  for (const scenario of [...scenarios, ...furtherScenarios].filter(
    (one) => vendor === undefined || vendorOf(one) === vendor,
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
