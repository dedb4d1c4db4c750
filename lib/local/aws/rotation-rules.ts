import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { text, whole } from './input.ts'
import { current, holderOf } from './secret-versions.ts'
import type { RotationRules, Secret } from './state.ts'

/** The RotationRules member of RotateSecret. */
export const Rules = v.object({
  AutomaticallyAfterDays: v.optional(whole(1, 1000)),
  Duration: v.optional(v.pipe(text(2, 3), v.regex(/^[0-9]+h$/))),
  ScheduleExpression: v.optional(
    v.pipe(
      text(1, 256),
      v.regex(/^(rate\([1-9]\d* (hours?|days?)\)|cron\([0-9A-Za-z#?*/, -]+\))$/),
    ),
  ),
})

/** Shortest time between two rotations that AWS makes by itself. */
const leastHours = 4

/** @throws {AwsError} InvalidParameterException: two schedules at once, or one that is too fast */
export function refuseBadRules(rules: RotationRules | undefined): void {
  if (rules === undefined) return
  const { AutomaticallyAfterDays: days, ScheduleExpression: expression } = rules
  if (days !== undefined && expression !== undefined) {
    throw new AwsError(
      'InvalidParameterException',
      'You can only specify one of AutomaticallyAfterDays and ScheduleExpression in RotationRules.',
    )
  }
  const hours = hoursBetween(rules)
  if (hours !== undefined && hours < leastHours) {
    throw new AwsError(
      'InvalidParameterException',
      `The rotation schedule must leave at least ${leastHours} hours between two rotations.`,
    )
  }
}

/**
 * The latest date of the next rotation: that long after the last one, or after the current version was
 * written by whomever, which counts as one. Absent for a cron expression, whose calendar is not played,
 * and where nothing is scheduled. Nothing is rotated because of it either.
 */
export function nextRotationAt(secret: Secret): Date | undefined {
  const { rotation } = secret
  const hours = rotation?.enabled ? hoursBetween(rotation.rules) : undefined
  if (hours === undefined) return undefined
  const last = Math.max(
    rotation?.lastRotatedAt?.getTime() ?? 0,
    holderOf(secret, current)?.createdAt.getTime() ?? secret.createdAt.getTime(),
  )
  return new Date(last + hours * 3_600_000)
}

function hoursBetween(rules: RotationRules | undefined): number | undefined {
  if (rules?.AutomaticallyAfterDays !== undefined) return rules.AutomaticallyAfterDays * 24
  const [, count, unit] = /^rate\((\d+) (hour|day)/.exec(rules?.ScheduleExpression ?? '') ?? []
  return count === undefined ? undefined : Number(count) * (unit === 'day' ? 24 : 1)
}
