/**
 * Which region is at work on a connection. Every take-over counts the epoch up, so of two regions that
 * both believe to be the one, all agree on which. Before any take-over it is epoch 0, of the first
 * region of the list.
 */
export interface Standing {
  readonly epoch: number
  readonly region: string
}

/** A spending grant that the region at work has announced in another region's ledger. */
export interface Heard extends Standing {
  /** Of the run that announced it, in its own region's ledger. */
  readonly fence: number
  /** Fingerprint of the refresh token. */
  readonly token: string
  /** When that run is over for certain. */
  readonly until: Date
}

/** A take-over that a person has asked for, until every other region has heard of it. */
export interface TakingOver {
  /** The region that was at work before; absent: the first of the list. */
  readonly from?: string
  /** Regions that could not be reached: this one goes on without them, and looks for them at every run. */
  readonly without: readonly string[]
  /** Whether what is held here has been settled, so that this region may go on. */
  readonly settled: boolean
}

/** Whether the one is the region at work, rather than the other. No two regions claim the same epoch for one name. */
export function outranks(one: Standing, other: Standing): boolean {
  return one.epoch === other.epoch ? one.region > other.region : one.epoch > other.epoch
}

/** The one that counts among several. */
export function highest(first: Standing, ...others: readonly (Standing | undefined)[]): Standing {
  return others.reduce<Standing>(
    (best, each) => (each !== undefined && outranks(each, best) ? each : best),
    first,
  )
}
