import { type Loss, lossNames } from './losses.ts'
import type { Simulated } from './simulate.ts'

/** What many worlds gave, together. */
export interface Tally {
  seeds: number
  rotations: number
  runs: number
  spends: number
  enrollments: number
  /** How often each kind of trouble happened. */
  readonly faults: Record<string, number>
  readonly losses: Record<Loss, number>
}

export function newTally(): Tally {
  const losses = Object.fromEntries(lossNames.map((name) => [name, 0])) as Record<Loss, number>
  return { seeds: 0, rotations: 0, runs: 0, spends: 0, enrollments: 0, faults: {}, losses }
}

export function count(tally: Tally, world: Simulated): void {
  const faults: Record<string, number> = {}
  for (const { trouble } of world.happened) faults[trouble] = (faults[trouble] ?? 0) + 1
  merge(tally, { ...world, seeds: 1, faults })
}

export function merge(tally: Tally, other: Tally): void {
  tally.seeds += other.seeds
  tally.rotations += other.rotations
  tally.runs += other.runs
  tally.spends += other.spends
  tally.enrollments += other.enrollments
  for (const [kind, times] of Object.entries(other.faults)) {
    tally.faults[kind] = (tally.faults[kind] ?? 0) + times
  }
  for (const name of lossNames) tally.losses[name] += other.losses[name]
}

export function faultsOf({ faults }: Tally): number {
  return Object.values(faults).reduce((sum, times) => sum + times, 0)
}

export function isClean({ losses }: Tally): boolean {
  return lossNames.every((name) => losses[name] === 0)
}
