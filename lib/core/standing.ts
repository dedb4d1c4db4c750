/**
 * Which region is at work on a connection. A take-over begins an epoch: its second since 1970, and above
 * any that is known, so that the later one wins even over what it did not know of. Before any take-over
 * it is epoch 0, of the first region of the list.
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
  /** `probe`: the one deliberate second sending; there is to be no third. */
  readonly kind: 'first' | 'probe'
  /** When that run is over for certain. */
  readonly until: Date
}

/** A take-over that a person has asked for, until every other region has heard of it. */
export interface TakingOver {
  /** What stood before, as far as it is known by now; absent: epoch 0. */
  readonly from?: Standing
  /** Regions that could not be reached: this one goes on without them, and looks for them at every run. */
  readonly without: readonly string[]
  /** Whether what is held here has been settled, so that this region may go on. */
  readonly settled: boolean
}

/** Whether the one is at work, rather than the other. Of two that claimed in one second, names decide. */
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
