/** Why a person may be told. */
export const causes = [
  /** A refresh token was sent and its answer is missing; the held access token still lives. */
  'token-at-risk',
  /** Nothing usable is left: a person has to enroll anew. */
  'enrollment-required',
  /** The secret's content or the vendor's address is not as it must be. */
  'configuration',
  /** A new token does not work. */
  'verify-failed',
  /** Secrets Manager takes no more versions for now. */
  'version-budget',
  /** Renewal fails and the refresh token runs out within the vendor's alarm time. */
  'refresh-token-expiring',
  /** Renewal fails and the published token has less than half of its margin left. */
  'freshness-at-risk',
  /** A certificate that the connection depends on ends within 30, 7 or 1 days. */
  'certificate-expiring',
  /** Another region has taken over; what this one published is renewed here no more. */
  'stood-down',
  /** Another region cannot be asked for leave, without which no refresh token is sent. */
  'region-unreachable',
] as const

/** One incident has one or more causes, each told once, until it is over. */
export type Cause = (typeof causes)[number]

export interface Incident {
  /** Stable for the whole incident: whoever delivers messages can drop a repeat by it. */
  readonly id: string
  readonly openedAt: Date
  /** Causes already told. */
  readonly told: readonly Cause[]
  /** Enrollments since it was opened: what they did not mend is told again, under another key. */
  readonly enrollments?: number
}

/** What an enrollment is to mend. */
const mendedByEnrollment: readonly Cause[] = [
  'enrollment-required',
  'token-at-risk',
  'configuration',
]

/** A person has enrolled: if that does not help they hear of it, though it is the same incident. */
export function enrolledDuring(incident: Incident): Incident {
  return {
    ...incident,
    enrollments: (incident.enrollments ?? 0) + 1,
    told: incident.told.filter((cause) => !mendedByEnrollment.includes(cause)),
  }
}

/** Equal for repeats of one telling. */
export function tellingKey({ id, enrollments }: Incident, cause: Cause): string {
  const isAnew = enrollments !== undefined && mendedByEnrollment.includes(cause)
  return isAnew ? `${id}/${cause}/${enrollments}` : `${id}/${cause}`
}

/**
 * Whether a person is to read of this cause, or only programs: a person reads one message when an
 * incident opens, and another only if it comes to need their hand. A secret that is full is no incident
 * of the connection's own, and hides none.
 */
export function needsReading(told: readonly Cause[], cause: Cause): boolean {
  return told.every((known) => known === 'version-budget') || mendedByEnrollment.includes(cause)
}

/** What is told, and to be written down as told. */
export interface Telling {
  readonly incident: Incident
  /** False: a repeat within the same incident, to be kept quiet. */
  readonly isNews: boolean
}

/** Opens an incident or adds a cause to the open one. */
export function tell(
  open: Incident | undefined,
  cause: Cause,
  next: { id: string; now: Date },
): Telling {
  const incident = open ?? { id: next.id, openedAt: next.now, told: [] }
  if (incident.told.includes(cause)) return { incident, isNews: false }
  return { incident: { ...incident, told: [...incident.told, cause] }, isNews: true }
}
