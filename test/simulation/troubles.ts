import type { Chance } from './chance.ts'
import type { Instant } from './timeline.ts'
import type { Trouble, Weather } from './weather.ts'

/** One thing that went wrong, or that somebody did. */
export interface Happened {
  /** Counted from 0 in the order of the world. */
  readonly number: number
  readonly trouble: Trouble
  readonly instant: Instant
}

/** Deals out trouble by the weather, counts it, and can leave some of it out: a failure is made smaller so. */
export interface Troubles {
  /** Whether this trouble happens now. `chance` is for its particulars. */
  readonly befalls: (trouble: Trouble, now: Instant) => Chance | undefined
  /** The first of several kinds that happens now, if any. */
  readonly oneOf: <T extends Trouble>(
    kinds: readonly T[],
    now: Instant,
  ) => { readonly trouble: T; readonly chance: Chance } | undefined
  readonly happened: readonly Happened[]
}

/**
 * @param end no trouble from here on
 * @param spared numbers of those that are left out
 */
export function troublesOf(
  chance: Chance,
  weather: Weather,
  end: Instant,
  spared: ReadonlySet<number>,
): Troubles {
  const happened: Happened[] = []
  // Of most kinds there is none in a world: they are asked for at every call, and answered here.
  const possible = new Map<readonly Trouble[], readonly Trouble[]>()
  let number = 0
  function befalls(trouble: Trouble, now: Instant): Chance | undefined {
    const rate = weather.rate(trouble)
    if (rate === 0 || now >= end || !chance.happens(rate)) return undefined
    number++
    if (spared.has(number - 1)) return undefined
    happened.push({ number: number - 1, trouble, instant: now })
    return chance.apart(number)
  }
  return {
    befalls,
    oneOf(kinds, now) {
      const some = possible.get(kinds) ?? kinds.filter((trouble) => weather.rate(trouble) > 0)
      possible.set(kinds, some)
      for (const trouble of some as typeof kinds) {
        const particulars = befalls(trouble, now)
        if (particulars !== undefined) return { trouble, chance: particulars }
      }
      return undefined
    },
    happened,
  }
}
