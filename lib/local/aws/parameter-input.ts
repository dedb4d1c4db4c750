import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { Tags, text, whole } from './input.ts'
import type { Parameter } from './state.ts'

/**
 * Bytes of a value per tier.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
 */
const maxValueBytes = { Standard: 4096, Advanced: 8192 }

const Name = v.pipe(
  text(1, 2048),
  v.check(
    (name) => /^(arn:[\w:-]+:parameter\/)?[\w./-]+(:[\w.-]+)?$/.test(name),
    'Parameter name must contain only letters, numbers and the following symbols: . - _ /',
  ),
)
const WithDecryption = v.optional(v.boolean(), false)

export const PutParameter = v.object({
  Name: v.pipe(
    Name,
    v.check(
      (name) => !name.includes(':') && !/^\/?(aws|ssm)/i.test(name),
      'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive), and holds only letters, numbers and the symbols . - _ /',
    ),
    v.check(
      (name) => name.split('/').length <= 16 && (name.startsWith('/') || !name.includes('/')),
      'Parameter name must be a fully qualified name of at most 15 levels.',
    ),
  ),
  Value: text(1, 8192),
  Type: v.optional(v.picklist(['String', 'StringList', 'SecureString'])),
  Description: v.optional(text(0, 1024)),
  KeyId: v.optional(text(1, 256)),
  Overwrite: v.optional(v.boolean(), false),
  Tags: v.optional(Tags),
  Tier: v.optional(v.picklist(['Standard', 'Advanced', 'Intelligent-Tiering'])),
})

export const GetParameter = v.object({ Name, WithDecryption })

export const GetParameters = v.object({
  Names: v.pipe(v.array(Name), v.minLength(1), v.maxLength(10)),
  WithDecryption,
})

export const GetParametersByPath = v.object({
  Path: Name,
  Recursive: v.optional(v.boolean(), false),
  // No filter is played: asking for one is refused rather than answered with too much.
  ParameterFilters: v.optional(v.pipe(v.array(v.unknown()), v.maxLength(0))),
  WithDecryption,
  MaxResults: v.optional(whole(1, 10), 10),
  NextToken: v.optional(v.string()),
})

export const DeleteParameter = v.object({ Name })

/**
 * The tier that a value goes to. A parameter that has become advanced stays so.
 *
 * @throws {AwsError} ValidationException: too long for its tier, or a way back to the standard tier
 */
export function tierOf(
  asked: 'Standard' | 'Advanced' | 'Intelligent-Tiering' | undefined,
  existing: Parameter | undefined,
  valueBytes: number,
): 'Standard' | 'Advanced' {
  if (asked === 'Standard' && existing?.tier === 'Advanced') {
    throw invalid(
      "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
    )
  }
  const automatic = valueBytes > maxValueBytes.Standard ? 'Advanced' : 'Standard'
  const tier =
    existing?.tier === 'Advanced'
      ? 'Advanced'
      : asked === 'Intelligent-Tiering'
        ? automatic
        : (asked ?? 'Standard')
  if (valueBytes > maxValueBytes[tier]) {
    throw invalid(
      tier === 'Standard'
        ? 'Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.'
        : 'Advanced tier parameters support a maximum parameter value of 8192 characters.',
    )
  }
  return tier
}

export function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message)
}
