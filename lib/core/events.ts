import type { Cause } from './incident.ts'

/** What goes to the event bus; documented field by field in the README. Holds no secret. */
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
    /** What a person does, a step a line. */
    readonly steps?: readonly string[]
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
