import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { decode, text } from './input.ts'
import type { Operation, SecretsContext } from './operation.ts'
import { Rules, refuseBadRules } from './rotation-rules.ts'
import type { RotationRunner } from './rotation-runner.ts'
import { SecretId, VersionId } from './secret-input.ts'
import { writable } from './secret-replication.ts'
import { current, holderOf, pending, withPending } from './secret-versions.ts'
import type { Secret } from './state.ts'

const RotateSecret = v.object({
  SecretId,
  ClientRequestToken: v.optional(VersionId),
  RotationLambdaARN: v.optional(text(0, 2048)),
  RotationRules: v.optional(Rules),
  RotateImmediately: v.optional(v.boolean(), true),
})

const CancelRotateSecret = v.object({ SecretId })

/**
 * The operations of Secrets Manager that rotate a secret by a Lambda function, which is one that this
 * endpoint was given. Rotations run on after the call has been answered.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
 */
export function secretRotation(
  { store, limits, surroundings }: SecretsContext,
  runner: RotationRunner,
): Record<string, Operation> {
  const { now, region } = surroundings

  return {
    RotateSecret(request) {
      const input = decode(RotateSecret, request)
      const token = input.ClientRequestToken
      if (token === undefined) {
        throw new AwsError(
          'InvalidParameterException',
          'You must provide a ClientRequestToken value. We recommend a UUID-type value.',
        )
      }
      const secret = writable(store.findLiving(input.SecretId), region)
      refuseBadRules(input.RotationRules)
      const lambdaArn = input.RotationLambdaARN || secret.rotation?.lambdaArn
      if (lambdaArn === undefined) throw noFunction()
      if (!runner.knows(lambdaArn)) {
        throw new AwsError(
          'AccessDeniedException',
          'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
        )
      }
      const answer = { ARN: secret.arn, Name: secret.name }
      const begun = { ...answer, ...(input.RotateImmediately ? { VersionId: token } : {}) }
      // A repetition, by a client that has not seen the answer.
      if (secret.versions.some(({ id }) => id === token)) return begun
      refuseWhileIncomplete(secret)
      const rules = input.RotationRules ?? secret.rotation?.rules
      const rotation = { ...secret.rotation, enabled: true, lambdaArn, rules }
      const content = input.RotateImmediately ? undefined : holderOf(secret, current)?.content
      store.write(withPending({ ...secret, rotation }, token, content, limits, now()))
      if (input.RotateImmediately) runner.rotate(secret.name, token)
      else runner.test(secret.name, token)
      return begun
    },

    CancelRotateSecret(request) {
      const { SecretId: secretId } = decode(CancelRotateSecret, request)
      const secret = writable(store.findLiving(secretId), region)
      if (secret.rotation === undefined) throw noFunction()
      // Labels stay where a rotation under way has left them.
      store.write({ ...secret, rotation: { ...secret.rotation, enabled: false } })
      const begun = holderOf(secret, pending)?.id
      return { ARN: secret.arn, Name: secret.name, VersionId: begun }
    },
  }

  /** @throws {AwsError} InvalidRequestException: AWSPENDING is on another version than AWSCURRENT */
  function refuseWhileIncomplete(secret: Secret): void {
    const begun = holderOf(secret, pending)
    if (begun === undefined || begun.labels.includes(current)) return
    // As the message says.
    if (secret.rotation?.enabled) runner.rotate(secret.name, begun.id)
    throw new AwsError(
      'InvalidRequestException',
      "A previous rotation isn't complete. That rotation will be reattempted.",
    )
  }
}

function noFunction(): AwsError {
  return new AwsError(
    'InvalidRequestException',
    'No Lambda rotation function ARN is associated with this secret.',
  )
}
