/** Instants in milliseconds since 1970, by the one clock that is right. */
export type Instant = number

/** Time that passes from one event to the next, with nothing in between. */
export interface Timeline {
  readonly now: () => Instant
  /** Does something at an instant; of two things at one instant the one asked for first. */
  readonly at: (instant: Instant, happen: () => void) => void
  /** Goes on to an instant at once, if nothing happens before: what a queue of one would do. */
  readonly skip: (instant: Instant) => boolean
  /** Lets everything happen up to an instant. Whatever an event sets going has come to rest before the next. */
  readonly until: (instant: Instant) => Promise<void>
}

export function newTimeline(start: Instant): Timeline {
  let time = start
  let end = start
  const queue: { readonly instant: Instant; readonly happen: () => void }[] = []

  function at(instant: Instant, happen: () => void) {
    let place = queue.length
    while (place > 0 && (queue[place - 1] as { instant: Instant }).instant > instant) place--
    queue.splice(place, 0, { instant, happen })
  }

  return {
    now: () => time,
    at,
    skip(instant) {
      const next = queue[0]
      if (instant > end || (next !== undefined && next.instant <= instant)) return false
      time = Math.max(time, instant)
      return true
    },
    until: (instant) =>
      new Promise((resolve) => {
        end = instant
        const step = () => {
          const next = queue[0]
          if (next === undefined || next.instant > end) {
            time = end
            return resolve()
          }
          queue.shift()
          time = Math.max(time, next.instant)
          next.happen()
          comeToRest(step)
        }
        comeToRest(step)
      }),
  }
}

const settledNow = Promise.resolve()

/**
 * Goes on once every promise reaction has run, those included that reactions set going. Node empties
 * the queue of ticks before the one of reactions, so the tick is asked for by a reaction.
 */
function comeToRest(goOn: () => void) {
  void settledNow.then(() => process.nextTick(goOn))
}
