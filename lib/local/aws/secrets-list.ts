import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { text } from './input.ts'
import type { Secret } from './state.ts'

const keys = [
  'description',
  'name',
  'tag-key',
  'tag-value',
  'primary-region',
  'owning-service',
  'all',
] as const
type Key = (typeof keys)[number]

/** The Filters member of ListSecrets and BatchGetSecretValue. */
export const Filters = v.pipe(
  v.array(
    v.object({
      Key: v.optional(v.picklist(keys)),
      Values: v.optional(v.pipe(v.array(text(1, 512)), v.minLength(1), v.maxLength(10))),
    }),
  ),
  v.maxLength(10),
)

interface Match {
  /** What of a secret is looked at. */
  readonly of: (secret: Secret, region: string) => readonly string[]
  readonly by: (attribute: string, sought: string) => boolean
}

const startsWith = (attribute: string, sought: string) => attribute.startsWith(sought)

/**
 * How each key matches: by case-sensitive prefix, or word by word without regard to case.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html
 */
const matches: Readonly<Record<Key, Match>> = {
  name: { of: ({ name }) => [name], by: startsWith },
  description: { of: ({ description }) => (description ? [description] : []), by: hasWords },
  'tag-key': { of: ({ tags }) => (tags ?? []).map(({ Key }) => Key), by: startsWith },
  'tag-value': { of: ({ tags }) => (tags ?? []).map(({ Value }) => Value), by: startsWith },
  'primary-region': { of: (_, region) => [region], by: startsWith },
  // No service of AWS owns a secret here.
  'owning-service': { of: () => [], by: startsWith },
  all: {
    of: (secret, region) =>
      (['name', 'description', 'tag-key', 'tag-value', 'primary-region'] as const).flatMap((key) =>
        matches[key].of(secret, region),
      ),
    by: hasWords,
  },
}

/**
 * The secrets that every filter matches. Within a filter one value is enough; a value that begins
 * with `!` matches what the rest of it does not.
 *
 * @throws {AwsError} InvalidParameterException: a filter without key or values
 */
export function matching(
  secrets: readonly Secret[],
  filters: v.InferOutput<typeof Filters>,
  region: string,
): readonly Secret[] {
  const tests = filters.map(({ Key, Values }) => {
    if (Key === undefined) throw new AwsError('InvalidParameterException', 'Invalid filter key')
    if (Values === undefined) {
      throw new AwsError('InvalidParameterException', `Invalid filter values for key: ${Key}`)
    }
    const { of, by } = matches[Key]
    return (secret: Secret) =>
      Values.some((value) => {
        const negated = value.startsWith('!')
        const sought = negated ? value.slice(1) : value
        return of(secret, region).some((attribute) => by(attribute, sought)) !== negated
      })
  })
  return secrets.filter((secret) => tests.every((test) => test(secret)))
}

type SortBy = 'created-date' | 'last-accessed-date' | 'last-changed-date' | 'name'

const sortKeys: Readonly<Record<SortBy, (secret: Secret) => string>> = {
  'created-date': ({ createdAt }) => createdAt.toISOString(),
  'last-accessed-date': ({ lastAccessedOn }) => lastAccessedOn?.toISOString() ?? '',
  'last-changed-date': ({ lastChangedAt }) => lastChangedAt.toISOString(),
  name: ({ name }) => name,
}

/** Secrets in order; those that are equal keep the order of their creation. */
export function sorted(
  secrets: readonly Secret[],
  by: SortBy,
  order: 'asc' | 'desc',
): readonly Secret[] {
  const keyOf = sortKeys[by]
  const rising = secrets.toSorted((a, b) => compare(keyOf(a), keyOf(b)))
  return order === 'asc' ? rising : rising.toReversed()
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

/** Whether every word sought begins a word of the attribute. */
function hasWords(attribute: string, sought: string): boolean {
  const words = wordsOf(attribute)
  const wanted = wordsOf(sought)
  return wanted.length > 0 && wanted.every((want) => words.some((word) => word.startsWith(want)))
}

/** Words begin at separators and at capitals: `teamA/apiKey` has the words team, a, api and key. */
function wordsOf(value: string): readonly string[] {
  return value
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[\s/_+=.@!-]+/)
    .filter((word) => word !== '')
}
