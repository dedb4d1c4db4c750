import type { Cause } from './incident.ts'
import type { Words } from './words.ts'

/** Source of every event that the rotator puts on the bus. */
export const eventSource = 'token-rotator'

/** What goes to the event bus; its schemas stand in docs/events. Holds no secret. */
export interface RotatorEvent {
  readonly type:
    | 'Token Rotated'
    | 'Token Rotation Failed'
    | 'Token At Risk'
    | 'Enrollment Required'
    | 'Token Recovered'
  /** Equal for repeats of the same event: deliver once. */
  readonly idempotencyKey: string
  readonly detail: {
    readonly schema: 1
    readonly connection: string
    readonly vendor: string
    readonly at: string
    readonly outcome: string
    readonly cause?: Cause
    readonly incident?: string
    readonly message?: string
    /** The token works, but something at the vendor's side wants looking at. */
    readonly warning?: string
    /** Until when the published token lives: how long consumers are still served. */
    readonly publishedUntil?: string
    /** The secret whose readers are concerned. */
    readonly secret?: string
    /** Who reads it, as configured. */
    readonly readers?: readonly string[]
    /** What a person does, a step a line: the vendor's own console first, then the command to run. */
    readonly steps?: readonly string[]
    /** True on what a person is to read: once per incident, and again only if it comes to need their hand. */
    readonly notify?: true
    /** The same for a person, a line each; no line holds a line feed or a double quotation mark. */
    readonly words?: Words
  }
}

/** The event that tells a person of each cause. */
export function eventType(cause: Cause): RotatorEvent['type'] {
  switch (cause) {
    case 'token-at-risk':
      return 'Token At Risk'
    case 'enrollment-required':
      return 'Enrollment Required'
    case 'configuration':
    case 'verify-failed':
    case 'version-budget':
    case 'refresh-token-expiring':
    case 'freshness-at-risk':
    case 'certificate-expiring':
    case 'stood-down':
    case 'region-unreachable':
      return 'Token Rotation Failed'
  }
}
