import type { Loss } from './losses.ts'
import { type SimulationOptions, simulate } from './simulate.ts'
import { species } from './subjects.ts'
import { count, newTally, type Tally } from './tally.ts'

/** Seeds that follow one another, and the worlds they are played in. */
export interface SeedRange {
  readonly from: number
  readonly count: number
  /** Worlds of this vendor alone. Default: of all. */
  readonly vendor?: string
  /** With trouble, per world. */
  readonly hours: number
}

/** A world in which something was lost. */
export interface Failure {
  readonly seed: number
  readonly species: string
  /** The first thing that was lost, and how. */
  readonly loss: Loss
  readonly why: string
}

/** Plain data, so that it passes between threads. */
export interface RangeResult {
  readonly from: number
  /** By the name of the species. */
  readonly tallies: ReadonlyMap<string, Tally>
  /** Of each world's trace, in the order of the seeds. */
  readonly digests: Int32Array
  readonly failures: readonly Failure[]
}

/** How the worlds of a range are played: on these terms a seed gives the same one anywhere. */
export function optionsOf({ vendor, hours }: Pick<SeedRange, 'vendor' | 'hours'>) {
  return {
    hours,
    species: vendor === undefined ? species : species.filter((kind) => kind.vendor.id === vendor),
  } satisfies SimulationOptions
}

export async function playRange(range: SeedRange): Promise<RangeResult> {
  const options = optionsOf(range)
  const tallies = new Map<string, Tally>()
  const digests = new Int32Array(range.count)
  const failures: Failure[] = []
  for (let index = 0; index < range.count; index++) {
    const world = await simulate(range.from + index, options)
    digests[index] = world.digest
    const tally = tallies.get(world.species) ?? newTally()
    tallies.set(world.species, tally)
    count(tally, world)
    const [breach] = world.breaches
    if (breach !== undefined) {
      failures.push({ seed: world.seed, species: world.species, ...breach })
    }
  }
  return { from: range.from, tallies, digests, failures }
}
