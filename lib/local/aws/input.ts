import * as v from 'valibot'
import { AwsError } from './aws-error.ts'

/**
 * Reads a request's JSON by a schema, failing as AWS does: a member of the wrong JSON type is a
 * SerializationException, a missing or malformed one a ValidationException that names the member
 * and the constraint. Real services also quote the value; this one does not, as it may be a secret.
 *
 * @throws {AwsError}
 */
export function decode<const Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, input, { abortEarly: true })
  if (result.success) return result.output
  const issue = result.issues[0]
  const path = (issue.path ?? []).map(({ key }) =>
    typeof key === 'number' ? `${key + 1}.member` : lowerFirst(String(key)),
  )
  const at = path.join('.') || 'request'
  if (issue.received === 'undefined') {
    throw invalid(`Value null at '${at}' failed to satisfy constraint: Member must not be null`)
  }
  if (issue.type === 'check') throw new AwsError('ValidationException', issue.message)
  if (issue.kind === 'schema' && issue.type !== 'picklist') {
    throw new AwsError('SerializationException', `member '${at}' is not of the expected type`)
  }
  throw invalid(`Value at '${at}' failed to satisfy constraint: ${constraint(issue)}`)
}

function invalid(what: string): AwsError {
  return new AwsError('ValidationException', `1 validation error detected: ${what}`)
}

function constraint(issue: v.BaseIssue<unknown>): string {
  switch (issue.type) {
    case 'min_length':
      return `Member must have length greater than or equal to ${issue.requirement}`
    case 'max_length':
      return `Member must have length less than or equal to ${issue.requirement}`
    case 'min_value':
      return `Member must have value greater than or equal to ${issue.requirement}`
    case 'max_value':
      return `Member must have value less than or equal to ${issue.requirement}`
    case 'regex':
      return 'Member must satisfy regular expression pattern'
    case 'picklist':
      return `Member must satisfy enum value set: [${issue.expected?.replaceAll(/["()]/g, '').replaceAll(' | ', ', ')}]`
    default:
      return 'Member is not valid'
  }
}

function lowerFirst(word: string): string {
  return word.charAt(0).toLowerCase() + word.slice(1)
}

/** A string of `min` to `max` characters. */
export function text(min: number, max: number) {
  return v.pipe(v.string(), v.minLength(min), v.maxLength(max))
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max))
}

/** Tags as both Secrets Manager and Parameter Store take them. */
export const Tags = v.pipe(
  v.array(v.object({ Key: text(1, 128), Value: v.optional(text(0, 256), '') })),
  v.maxLength(50),
)
