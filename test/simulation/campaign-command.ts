import { type CampaignReport, campaign } from './campaign.ts'
import { lossNames } from './losses.ts'
import { optionsOf } from './range.ts'
import { simulate } from './simulate.ts'
import { faultsOf, isClean, type Tally } from './tally.ts'
import { replayCommand, toldFailure } from './told-failure.ts'

export interface CampaignCommandOptions {
  /** The first seed, 0 to 4,294,967,295. */
  readonly seed: number
  readonly seeds: number
  readonly hours: number
  readonly vendor?: string
  /** Whether the trace of the first seed is printed on stderr. */
  readonly trace: boolean
  readonly json: boolean
}

const failuresExplained = 3
const failuresNamed = 50

/**
 * `npm run torture`: plays worlds from their seeds, counts and prints.
 *
 * @returns the exit status: 1 if anything was lost, or the same seed did not give the same trace
 */
export async function campaignCommand(options: CampaignCommandOptions): Promise<number> {
  const { seed, seeds, hours, vendor, json } = options
  const terms = { hours, ...(vendor === undefined ? {} : { vendor }) }
  const startedAt = performance.now()
  const isSame = await isPlayedTheSame(options)
  const report = await campaign({ from: seed, count: seeds, ...terms, onProgress: progress(seeds) })
  // Worlds leave nothing behind: after many others a world is the same as by itself.
  const last = await simulate(seed + seeds - 1, optionsOf(terms))
  const isDeterministic = isSame && last.digest === report.lastDigest
  if (!isDeterministic) complain('the same seed did not give the same trace')

  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  for (const failure of report.failures.slice(0, failuresExplained)) {
    complain(await toldFailure(failure, terms))
  }
  const further = report.failures.slice(failuresExplained)
  for (const { seed, species, loss } of further.slice(0, failuresNamed)) {
    complain(`seed ${seed} (${species}): ${loss}; again: ${replayCommand(seed, terms)}`)
  }
  if (further.length > failuresNamed) complain(`and ${further.length - failuresNamed} more`)

  if (json) process.stdout.write(`${JSON.stringify(figures(report, seconds))}\n`)
  else process.stdout.write(table(report, seconds))
  return isDeterministic && isClean(report.total) ? 0 : 1
}

/** Plays the first seed twice, and compares the traces to the letter. */
async function isPlayedTheSame(options: CampaignCommandOptions): Promise<boolean> {
  const [one, other] = [[] as string[], [] as string[]]
  for (const trace of [one, other]) {
    await simulate(options.seed, { ...optionsOf(options), trace: (line) => trace.push(line) })
  }
  if (options.trace) for (const line of one) complain(line)
  return one.join('\n') === other.join('\n')
}

function figures({ total, digest }: CampaignReport, seconds: number) {
  const { leaks, lostEdits, ...losses } = total.losses
  const { seeds, rotations, spends, runs, enrollments } = total
  const faults = Object.fromEntries(
    Object.entries(total.faults).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
  return {
    seeds,
    rotations,
    spends,
    faults,
    ...losses,
    seconds,
    leaks,
    lostEdits,
    enrollments,
    runs,
    digest,
  }
}

function table({ total, tallies, digest }: CampaignReport, seconds: number): string {
  const columns = ['seeds', 'rotations', 'spends', 'runs', 'faults', 'enrollments', ...lossNames]
  const row = (title: string, cells: readonly (string | number)[]) =>
    `${title.padEnd(50)}${cells.map((cell, at) => String(cell).padStart((columns[at] ?? '').length + 2)).join('')}\n`
  const cells = (tally: Tally) => [
    ...[tally.seeds, tally.rotations, tally.spends, tally.runs, faultsOf(tally), tally.enrollments],
    ...lossNames.map((name) => tally.losses[name]),
  ]
  const kinds = Object.entries(total.faults).toSorted(([, one], [, other]) => other - one)
  return [
    row('', columns),
    ...[...tallies].map(([name, tally]) => row(name, cells(tally))),
    row('all', cells(total)),
    `faults: ${kinds.map(([kind, times]) => `${times} ${kind}`).join(', ') || 'none'}\n`,
    `digest ${digest}, ${seconds} s, ${Math.round(total.rotations / Math.max(seconds, 0.1))} rotations a second\n`,
  ].join('')
}

/** A terminal is told that something goes on; a file need not know. */
function progress(seeds: number): ((done: number) => void) | undefined {
  if (!process.stderr.isTTY) return undefined
  return (done) => process.stderr.write(done < seeds ? `\r${done} of ${seeds} seeds` : '\r\u001b[K')
}

function complain(line: string): void {
  process.stderr.write(`${line}\n`)
}
