/** A fault to inject. */
export interface Fault {
  readonly kind: string
  /** The operation or group it applies to, e.g. `refresh` or `grant`. @default that of the kind */
  readonly on?: string
  /** How often it applies, or `always`: until cleared. @default 1 */
  readonly times?: number | 'always'
  /** Occasions to let pass before the first. @default 0 */
  readonly skip?: number
  /** For `slow` and `slow-body`: how long, in milliseconds. @default 5000 */
  readonly ms?: number
}

/** What a kind of fault does, and to which calls when nothing else is said. */
export interface FaultKind {
  readonly about: string
  /** @default every call of the vendor's API */
  readonly on?: string
  /** What `--fault` makes of it. @default in force at every call; an event such as a reboot differs */
  readonly standing?: Omit<Fault, 'kind'>
}

export type FaultCatalogue = Readonly<Record<string, FaultKind>>

/** Faults that any vendor's network or host can show; the server plays them, no rule knows them. */
export const commonFaults = {
  'drop-before': { about: 'connection closed before the vendor has seen the call' },
  'consume-then-drop': {
    about: 'takes effect, then the connection closes unanswered',
    on: 'grant',
  },
  'consume-then-500': { about: 'takes effect, then 500', on: 'grant' },
  slow: { about: 'takes effect at once, the answer comes after `ms`' },
  'slow-body': { about: 'takes effect, headers at once, the body trickles in over `ms`' },
  'truncated-body': { about: 'takes effect, the connection closes half-way through the body' },
  empty: { about: 'takes effect, then 200 without a body' },
  'extra-fields': { about: 'JSON objects carry members that nobody documented' },
  html: { about: '200 with an HTML page, as from a captive portal; without effect' },
  'error-500': { about: '500, without effect' },
  'error-503': { about: '503, without effect' },
  'error-429': { about: '429, without effect' },
  refuse: {
    about: 'the grant is refused though nothing is wrong with it; without effect',
    on: 'grant',
  },
} as const satisfies FaultCatalogue

/** The faults in force at one simulator. */
export interface Faults {
  /** @throws {RangeError} a kind that is not in the catalogue, an `on` that is no operation */
  inject(fault: Fault): void
  clear(): void
  /**
   * Whether a fault of this kind strikes now, at a call of these operations. Asking is the occasion
   * that `skip` and `times` count: a rule asks only where the fault would make a difference.
   */
  strikes(kind: string, operations: readonly string[]): Fault | undefined
}

interface Pending {
  readonly fault: Fault
  readonly on: string | undefined
  skip: number
  left: number
}

export function createFaults(catalogue: FaultCatalogue, operations: readonly string[]): Faults {
  const pending: Pending[] = []
  return {
    inject(fault) {
      const kind = faultKind(catalogue, fault.kind)
      const { on = kind.on, times = 1, skip = 0 } = fault
      // Silently never striking would make a test pass that tests nothing.
      if (on !== undefined && !operations.includes(on)) {
        throw new RangeError(`on '${on}': allowed are ${operations.join(', ')}`)
      }
      const left = times === 'always' ? Number.POSITIVE_INFINITY : times
      pending.push({ fault, on, skip, left })
    },
    clear() {
      pending.length = 0
    },
    strikes(kind, ofCall) {
      const found = pending.find(
        (entry) =>
          entry.fault.kind === kind &&
          entry.left > 0 &&
          (entry.on === undefined || ofCall.includes(entry.on)),
      )
      if (found === undefined) return undefined
      if (found.skip > 0) {
        found.skip -= 1
        return undefined
      }
      found.left -= 1
      return found.fault
    },
  }
}

/**
 * The fault that `--fault <kind>` stands for.
 *
 * @throws {RangeError} a kind that is not in the catalogue
 */
export function standingFault(catalogue: FaultCatalogue, kind: string): Fault {
  return { kind, times: 'always', ...faultKind(catalogue, kind).standing }
}

function faultKind(catalogue: FaultCatalogue, kind: string): FaultKind {
  const found = Object.hasOwn(catalogue, kind) ? catalogue[kind] : undefined
  if (found === undefined) {
    throw new RangeError(`fault '${kind}': allowed are ${Object.keys(catalogue).join(', ')}`)
  }
  return found
}
