import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { decode, text, whole } from './input.ts'
import { drawCharacters, type Surroundings } from './surroundings.ts'

const GetRandomPassword = v.object({
  PasswordLength: v.optional(whole(1, 4096), 32),
  ExcludeCharacters: v.optional(text(0, 4096), ''),
  ExcludeNumbers: v.optional(v.boolean(), false),
  ExcludePunctuation: v.optional(v.boolean(), false),
  ExcludeUppercase: v.optional(v.boolean(), false),
  ExcludeLowercase: v.optional(v.boolean(), false),
  IncludeSpace: v.optional(v.boolean(), false),
  RequireEachIncludedType: v.optional(v.boolean(), true),
})

/**
 * GetRandomPassword.
 *
 * @throws {AwsError} InvalidParameterException: nothing left to draw from, or fewer characters than
 *   kinds that must each appear
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html
 */
export function randomPassword(request: unknown, random: Surroundings['random']): string {
  const input = decode(GetRandomPassword, request)
  const kinds = [
    input.ExcludeLowercase ? '' : 'abcdefghijklmnopqrstuvwxyz',
    input.ExcludeUppercase ? '' : 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
    input.ExcludeNumbers ? '' : '0123456789',
    input.ExcludePunctuation ? '' : '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
    input.IncludeSpace ? ' ' : '',
  ]
    .map((kind) => [...kind].filter((each) => !input.ExcludeCharacters.includes(each)).join(''))
    .filter((kind) => kind !== '')
  if (kinds.length === 0) {
    throw new AwsError(
      'InvalidParameterException',
      'The exclusions leave no character to make a password of.',
    )
  }
  const required = input.RequireEachIncludedType ? kinds : []
  if (required.length > input.PasswordLength) {
    throw new AwsError(
      'InvalidParameterException',
      `PasswordLength ${input.PasswordLength} is too short to include one character of each of ${required.length} types.`,
    )
  }
  for (;;) {
    // Drawing again until all kinds appear keeps every position evenly random; repairing one would not.
    const password = drawCharacters(random, kinds.join(''), input.PasswordLength)
    if (required.every((kind) => [...kind].some((each) => password.includes(each)))) return password
  }
}
