import { type Failure, optionsOf, type SeedRange } from './range.ts'
import { shrink } from './shrink.ts'
import { simulate } from './simulate.ts'

const linesShown = 40

/** The command that plays one world again. */
export function replayCommand(seed: number, { vendor, hours }: Terms): string {
  const only = vendor === undefined ? '' : ` --vendor ${vendor}`
  return `npm run -s torture -- --seed ${seed}${only} --hours ${hours} --trace`
}
type Terms = Pick<SeedRange, 'vendor' | 'hours'>

/** What was lost, for a person to read: how to see it again, the troubles that it takes, and how it ends. */
export async function toldFailure(failure: Failure, terms: Terms): Promise<string> {
  const { seed, species, loss, why } = failure
  const options = optionsOf(terms)
  const { spared, result } = await shrink(seed, loss, options)
  const trace: string[] = []
  await simulate(seed, { ...options, spared, trace: (line) => trace.push(line) })
  const last = trace.findLastIndex((line) => line.includes(`BREACH: ${loss}`))
  const shown = trace.slice(Math.max(0, last + 1 - linesShown), last + 1)
  return [
    `seed ${seed} (${species}): ${loss}, ${why}`,
    `  again: ${replayCommand(seed, terms)}`,
    `  it takes ${result.happened.length} troubles:`,
    ...result.happened.map(
      ({ trouble, instant }) => `    ${new Date(instant).toISOString()} ${trouble}`,
    ),
    '  and then:',
    ...shown.map((line) => `    ${line}`),
  ].join('\n')
}
