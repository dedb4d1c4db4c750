import type { Chance } from './chance.ts'
import type { Instant } from './timeline.ts'
import type { Troubles } from './troubles.ts'

/** What befalls a process, decided as it starts; calls are counted from 0. */
export interface Fate {
  /** Ended from outside at this instant: Lambda's time-out. */
  readonly endsAt: Instant
  readonly dies?: Moment
  readonly freezes?: Moment & { readonly ms: number }
  /** Milliseconds by which its own clock is wrong. */
  readonly offMs: number
  readonly jumps?: Moment & { readonly toMs: number }
}

/** Just before a call leaves, or just as its answer is there. */
export interface Moment {
  readonly call: number
  readonly isAfter: boolean
}

/** What befalls a process that starts now, by the weather. */
export function fateOf(troubles: Troubles, now: Instant, endsAt: Instant): Fate {
  const moment = (from: Chance): Moment => ({ call: from.below(24), isAfter: from.happens(0.5) })
  const killed = troubles.befalls('killed', now)
  const frozen = troubles.befalls('frozen', now)
  const off = troubles.befalls('clock off', now)
  const jumps = troubles.befalls('clock jumps', now)
  return {
    endsAt,
    ...(killed === undefined ? {} : { dies: moment(killed) }),
    ...(frozen === undefined
      ? {}
      : { freezes: { ...moment(frozen), ms: frozen.between(100, frozen.one([5000, 290_000])) } }),
    offMs: off?.between(-120_000, 120_000) ?? 0,
    ...(jumps === undefined
      ? {}
      : { jumps: { ...moment(jumps), toMs: jumps.between(-120_000, 120_000) } }),
  }
}
