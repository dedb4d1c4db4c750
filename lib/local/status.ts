import type { startReader } from './reader.ts'
import type { Simulator } from './simulators/simulator.ts'

/** One row of what a person looks at. */
export interface Status {
  readonly connection: string
  readonly vendor: string
  readonly state: string
  /** Seconds that the published token has left; absent before the first. */
  readonly secondsLeft?: number
  readonly rotations: number
  readonly reads: number
  readonly deadReads: number
}

/** A demo connection at work. */
export interface Running {
  readonly id: string
  readonly simulator: Simulator
  readonly reader: ReturnType<typeof startReader>
}
