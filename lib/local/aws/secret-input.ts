import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { text } from './input.ts'
import type { SecretContent } from './state.ts'

/** Bytes that one version holds, as a string in UTF-8 or as binary. */
const maxContentBytes = 65_536

const nameRule =
  'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!'
const nameForm = /^[A-Za-z0-9/_+=.@!-]+$/
const sizeRule = (member: string) =>
  `1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must have length less than or equal to ${maxContentBytes}`

export const SecretName = v.pipe(
  text(1, 512),
  v.check((name) => nameForm.test(name), nameRule),
)

/** A secret's name, ARN, or ARN without the random suffix. */
export const SecretId = v.pipe(
  text(1, 2048),
  v.check((id) => nameForm.test(id.startsWith('arn:') ? id.replaceAll(':', '') : id), nameRule),
)

/** An id of a version, which is the ClientRequestToken that it was written with. */
export const VersionId = text(32, 64)

export const StagingLabel = text(1, 256)

/** The members by which every writing operation carries a value and its version id. */
export const valueMembers = {
  ClientRequestToken: v.optional(VersionId),
  SecretString: v.optional(
    v.pipe(
      v.string(),
      v.check((value) => Buffer.byteLength(value) <= maxContentBytes, sizeRule('secretString')),
    ),
  ),
  SecretBinary: v.optional(
    v.pipe(
      v.string(),
      v.check(
        (value) => Buffer.from(value, 'base64').length <= maxContentBytes,
        sizeRule('secretBinary'),
      ),
    ),
  ),
}

interface Value {
  readonly ClientRequestToken?: string | undefined
  readonly SecretString?: string | undefined
  readonly SecretBinary?: string | undefined
}

/**
 * The token of a request that may write a version. The SDKs and the command line fill it in; a raw
 * request without it is refused.
 *
 * @throws {AwsError} InvalidRequestException
 */
export function tokenOf({ ClientRequestToken: token }: Value): string {
  if (token !== undefined) return token
  throw new AwsError(
    'InvalidRequestException',
    'You must provide a ClientRequestToken value. We recommend a UUID-type value.',
  )
}

/**
 * The value that a request carries, if it carries one. An empty value is not a value.
 *
 * @throws {AwsError} InvalidParameterException: both kinds at once; InvalidRequestException: empty
 */
export function contentOf({ SecretString, SecretBinary }: Value): SecretContent | undefined {
  if (SecretString !== undefined && SecretBinary !== undefined) {
    throw new AwsError(
      'InvalidParameterException',
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    )
  }
  if (SecretString === '' || SecretBinary === '') throw noContent()
  if (SecretString !== undefined) return { string: SecretString }
  return SecretBinary === undefined ? undefined : { binary: SecretBinary }
}

export function noContent(): AwsError {
  return new AwsError(
    'InvalidRequestException',
    'You must provide either SecretString or SecretBinary.',
  )
}
