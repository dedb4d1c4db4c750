import { StoreError, TransportError } from '../../lib/core/errors.ts'
import type { HttpAnswer } from '../../lib/core/vendor.ts'
import type { Chance } from './chance.ts'
import type { Instant } from './timeline.ts'
import type { StoreTrouble, VendorTrouble } from './weather.ts'

/** How one call goes, once it has left. */
export interface Course {
  /** When it has its effect; never, if it is lost. */
  readonly effectAt?: Instant
  readonly answerAt: Instant
  /** What its caller gets instead of the answer. */
  readonly fails?: Error
}

// The AWS clients' own limit for one try.
const storeTimeoutMs = 5000

/** What a store's client makes of no answer, and of being turned away. */
const unanswered = (name: string) => new StoreError(`${name} was not answered`, 'retry')
const throttled = (name: string) =>
  new StoreError(`${name} failed with ThrottlingException`, 'retry')

/** A store that is away turns every call away. */
export function storeAway(name: string, usual: Instant): Course {
  return { answerAt: usual, fails: throttled(name) }
}

/**
 * A store's call that meets trouble.
 *
 * @param usual when it would have been answered
 */
export function storeCourse(
  trouble: StoreTrouble,
  chance: Chance,
  name: string,
  leaves: Instant,
  usual: Instant,
): Course {
  const timeout = leaves + storeTimeoutMs
  switch (trouble) {
    case 'throttled':
      return { answerAt: usual, fails: throttled(name) }
    case 'request lost':
      return { answerAt: timeout, fails: unanswered(name) }
    case 'answer lost':
      return { effectAt: usual, answerAt: timeout, fails: unanswered(name) }
    case 'answer late': {
      const late = leaves + chance.between(100, storeTimeoutMs - 1)
      return { effectAt: chance.between(leaves + 1, late), answerAt: late }
    }
    case 'request late':
      return {
        effectAt: leaves + chance.between(100, 20_000),
        answerAt: timeout,
        fails: unanswered(name),
      }
  }
}

/** A vendor that is away is not reached at all. */
export function vendorAway(usual: Instant): Course {
  return { answerAt: usual, fails: new TransportError('could not connect', 'no') }
}

/**
 * A vendor's call that meets trouble, and what it then does.
 *
 * @param usual when it would have been answered
 */
export function vendorCourse(
  trouble: VendorTrouble,
  chance: Chance,
  { leaves, usual, timeoutSeconds }: { leaves: Instant; usual: Instant; timeoutSeconds: number },
  effect: () => Promise<HttpAnswer>,
): { readonly course: Course; readonly effect: () => Promise<HttpAnswer> } {
  const timeout = leaves + timeoutSeconds * 1000
  const lost = new TransportError('no answer', 'maybe')
  // A connection is reset at once, or hangs until one's patience is over.
  const silence = chance.happens(0.5) ? usual : timeout
  const instead = (answer: Partial<HttpAnswer>) => () => Promise.resolve({ ...nothing, ...answer })
  const inTime = { effectAt: usual, answerAt: usual }
  switch (trouble) {
    case 'unreachable':
      return { course: vendorAway(usual), effect }
    case 'request lost':
      return { course: { answerAt: silence, fails: lost }, effect }
    case 'answer lost':
      return { course: { effectAt: usual, answerAt: silence, fails: lost }, effect }
    case 'answer late': {
      const answerAt = leaves + chance.between(1, timeoutSeconds * 1300)
      const isTooLate = answerAt >= timeout
      const late = isTooLate ? { answerAt: timeout, fails: lost } : { answerAt }
      return { course: { effectAt: Math.min(usual, late.answerAt), ...late }, effect }
    }
    case 'error before':
      return { course: inTime, effect: instead({ status: 503 }) }
    case 'error after':
      return { course: inTime, effect: () => effect().then(instead({ status: 502 })) }
    case 'answer cut': {
      const cut = { status: 200, text: '{"acc', contentType: 'application/json' }
      return { course: inTime, effect: () => effect().then(instead(cut)) }
    }
  }
}

const nothing: HttpAnswer = { status: 0, contentType: '', headers: {}, text: '', json: undefined }
