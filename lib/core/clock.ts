import type { Clock } from './ports.ts'

/** When an answer was made by the clock of who answered, and between which instants of one's own. */
export interface Dated {
  /** Instant in the answer, cut to the whole second as in HTTP's `Date`. */
  readonly at: Date
  readonly sentAt: Date
  readonly receivedAt: Date
}

/** A clock that is set by others' answers. */
export interface SetClock extends Clock {
  readonly set: (answer: Dated) => void
}

/**
 * A process's clock, set by the ledger's: leases, due times and doubts are compared between processes,
 * so all of them go by the clock of the one table they share. What is off by less than the answer can
 * tell is left as it is.
 *
 * @param local its instants in `Dated` are its own, before any setting
 */
export function setClock(local: Clock): SetClock {
  // Milliseconds by which the ledger's clock is ahead of the local one.
  let ahead = 0
  return {
    now: () => new Date(local.now().getTime() + ahead),
    sleep: local.sleep,
    set({ at, sentAt, receivedAt }) {
      const least = at.getTime() - receivedAt.getTime()
      const most = at.getTime() + 999 - sentAt.getTime()
      ahead = Math.min(Math.max(ahead, least), most)
    },
  }
}
