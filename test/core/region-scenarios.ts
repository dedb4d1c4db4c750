import type { Scenario } from './scenarios.ts'
import { twoRegions } from './two-regions.ts'

/** Runs that have another region to ask, or to follow. */
export const regionScenarios: readonly Scenario[] = [
  {
    title: 'kaspersky-mdr, refresh with the leave of a region that stands by',
    async prepare() {
      const { minutes, home } = twoRegions()
      await minutes(45)
      return home
    },
    restarts: false,
  },
  {
    title: 'kaspersky-mdr, take-over from a region whose newest pair was not replicated',
    async prepare() {
      const { minutes, home, away, promote } = twoRegions()
      await minutes(43)
      promote()
      await minutes(3, ['home'])
      await away.takeOver()
      if (home.tokens().length !== 2) throw new Error('that region has not rotated')
      return away
    },
    restarts: false,
  },
  {
    title: 'kaspersky-mdr, take-over from a region that is gone',
    async prepare() {
      const { minutes, away, promote, cut } = twoRegions()
      await minutes(20)
      promote()
      cut.home = true
      await away.takeOver()
      return away
    },
    restarts: false,
  },
  {
    title: 'kaspersky-mdr, fail-back to a region that was gone',
    async prepare() {
      const { minutes, home, away, promote, cut } = twoRegions()
      await minutes(20)
      promote()
      cut.home = true
      await away.takeOver()
      await minutes(27, ['away'])
      cut.home = false
      await home.takeOver()
      return home
    },
    restarts: false,
  },
]
