import { type Caught, chained, firstCaught, type Mutant, mutants } from './mutants.ts'

/**
 * `npm run torture -- --mutants`: switches off one defence of the engine after another, and looks for the
 * first world in which something is lost for want of it.
 *
 * @param seeds worlds to look into for each, from seed 0
 * @returns the exit status: 1 if a defence is never missed, so that nobody could tell that it works
 */
export async function mutantsCommand({
  seeds,
  json,
}: {
  readonly seeds: number
  readonly json: boolean
}): Promise<number> {
  const found: Partial<Record<Mutant, Caught | null>> = {}
  if (!json) print('without the', 'seed', 'species', 'first loss')
  for (const mutant of Object.keys(mutants) as Mutant[]) {
    const caught = await firstCaught(mutant, { from: 0, count: seeds, species: chained })
    found[mutant] = caught ?? null
    if (json) continue
    if (caught === undefined) print(mutant, '-', '-', `nothing is lost in ${seeds} worlds`)
    else print(mutant, String(caught.seed), caught.species, `${caught.loss}: ${caught.why}`)
  }
  if (json) process.stdout.write(`${JSON.stringify(found)}\n`)
  return Object.values(found).every((caught) => caught !== null) ? 0 : 1
}

function print(mutant: string, seed: string, species: string, loss: string) {
  process.stdout.write(`${mutant.padEnd(14)}${seed.padStart(6)}  ${species.padEnd(50)}${loss}\n`)
}
