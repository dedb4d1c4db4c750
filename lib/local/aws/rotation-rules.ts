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

/**
 * @throws {AwsError} InvalidParameterException: two schedules at once, one that is too fast, or one that
 *   does not begin on the hour of every year
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
 */
export function refuseBadRules(rules: RotationRules | undefined): void {
  if (rules === undefined) return
  const { AutomaticallyAfterDays: days, ScheduleExpression: expression } = rules
  if (days !== undefined && expression !== undefined) {
    throw new AwsError(
      'InvalidParameterException',
      'You can only specify one of AutomaticallyAfterDays and ScheduleExpression in RotationRules.',
    )
  }
  const cron = /^cron\((.*)\)$/.exec(expression ?? '')?.[1]?.split(' ')
  if (cron !== undefined && (cron.length !== 6 || cron[0] !== '0' || cron[5] !== '*')) {
    throw new AwsError(
      'InvalidParameterException',
      'A cron expression must have six fields, with 0 for the minutes and * for the year.',
    )
  }
  const hours = hoursBetween(rules) ?? (cron && leastGap(cron[1] ?? ''))
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

/** The fewest hours between two of those that the field of a cron expression names, over midnight as well. */
function leastGap(field: string): number {
  const named = field.split(',').flatMap((part) => {
    const [range = '', step = ''] = part.split('/')
    const [from = 0, to = step === '' ? from : 23] =
      range === '*' ? [0, 23] : range.split('-').map(Number)
    const every = Number(step) || 1
    return Array.from({ length: 24 }, (_, hour) => hour).filter(
      (hour) => hour >= from && hour <= to && (hour - from) % every === 0,
    )
  })
  const hours = [...new Set(named)].sort((one, other) => one - other)
  const [first = 0] = hours
  return Math.min(...hours.map((hour, index) => (hours[index + 1] ?? first + 24) - hour))
}
