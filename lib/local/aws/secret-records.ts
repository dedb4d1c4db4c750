import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { decode, Tags, text, whole } from './input.ts'
import type { Operation, SecretsContext } from './operation.ts'
import { page } from './paging.ts'
import { randomPassword } from './random-password.ts'
import { nextRotationAt } from './rotation-rules.ts'
import { SecretId } from './secret-input.ts'
import { Filters, matching, sorted } from './secrets-list.ts'
import type { Secret } from './state.ts'
import { epochSeconds } from './surroundings.ts'

const NextToken = v.optional(text(1, 4096))
const MaxResults = v.optional(whole(1, 100), 100)

const OneSecret = v.object({ SecretId })

const ListSecrets = v.object({
  IncludePlannedDeletion: v.optional(v.boolean(), false),
  MaxResults,
  NextToken,
  Filters: v.optional(Filters, []),
  SortOrder: v.optional(v.picklist(['asc', 'desc']), 'asc'),
  SortBy: v.optional(
    v.picklist(['created-date', 'last-accessed-date', 'last-changed-date', 'name']),
    'created-date',
  ),
})

const ListSecretVersionIds = v.object({
  SecretId,
  MaxResults,
  NextToken,
  IncludeDeprecated: v.optional(v.boolean(), false),
})

const DeleteSecret = v.object({
  SecretId,
  RecoveryWindowInDays: v.optional(v.pipe(v.number(), v.integer())),
  ForceDeleteWithoutRecovery: v.optional(v.boolean(), false),
})

const TagResource = v.object({ SecretId, Tags })

const UntagResource = v.object({
  SecretId,
  TagKeys: v.pipe(v.array(text(1, 128)), v.maxLength(50)),
})

/** The operations of Secrets Manager that describe, list, tag and delete; none shows a value. */
export function secretRecords({ store, surroundings }: SecretsContext): Record<string, Operation> {
  const { now, random, region } = surroundings

  return {
    DescribeSecret(request) {
      // Works while the secret awaits deletion: DeletedDate is part of the answer.
      const secret = store.find(decode(OneSecret, request).SecretId)
      return { ...record(secret), VersionIdsToStages: stages(secret) }
    },

    ListSecrets(request) {
      const input = decode(ListSecrets, request)
      const listed = store
        .all()
        .filter(({ deletion }) => input.IncludePlannedDeletion || deletion === undefined)
      const { items, nextToken } = page(
        sorted(matching(listed, input.Filters, region), input.SortBy, input.SortOrder),
        input.MaxResults,
        input.NextToken,
        'InvalidNextTokenException',
      )
      return {
        SecretList: items.map((secret) => ({
          ...record(secret),
          SecretVersionsToStages: stages(secret),
        })),
        NextToken: nextToken,
      }
    },

    ListSecretVersionIds(request) {
      const input = decode(ListSecretVersionIds, request)
      const secret = store.find(input.SecretId)
      const { items, nextToken } = page(
        secret.versions.filter(({ labels }) => input.IncludeDeprecated || labels.length > 0),
        input.MaxResults,
        input.NextToken,
        'InvalidNextTokenException',
      )
      return {
        ARN: secret.arn,
        Name: secret.name,
        Versions: items.map((version) => ({
          VersionId: version.id,
          ...(version.labels.length > 0 ? { VersionStages: version.labels } : {}),
          CreatedDate: epochSeconds(version.createdAt),
          LastAccessedDate: optionalInstant(version.lastAccessedOn),
          KmsKeyIds: [version.kmsKeyId ?? 'DefaultEncryptionKey'],
        })),
        NextToken: nextToken,
      }
    },

    DeleteSecret(request) {
      const input = decode(DeleteSecret, request)
      const { RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: force } = input
      if (force && days !== undefined) {
        throw new AwsError(
          'InvalidParameterException',
          "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        )
      }
      if (days !== undefined && (days < 7 || days > 30)) {
        throw new AwsError(
          'InvalidParameterException',
          'The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).',
        )
      }
      if (force) return forget(input.SecretId)
      const secret = store.findLiving(input.SecretId)
      const dueAt = new Date(now().getTime() + (days ?? 30) * 86_400_000)
      store.write({ ...secret, deletion: { markedAt: now(), dueAt } })
      return { ARN: secret.arn, Name: secret.name, DeletionDate: epochSeconds(dueAt) }
    },

    RestoreSecret(request) {
      const secret = store.find(decode(OneSecret, request).SecretId)
      if (secret.deletion !== undefined) store.write({ ...secret, deletion: undefined })
      return { ARN: secret.arn, Name: secret.name }
    },

    TagResource(request) {
      const input = decode(TagResource, request)
      const secret = store.findLiving(input.SecretId)
      const given = new Set(input.Tags.map(({ Key }) => Key))
      const kept = (secret.tags ?? []).filter(({ Key }) => !given.has(Key))
      const tags = [...kept, ...input.Tags]
      if (tags.length > 50) {
        throw new AwsError('InvalidParameterException', 'A secret can have at most 50 tags.')
      }
      store.write({ ...secret, lastChangedAt: now(), tags })
      return undefined
    },

    UntagResource(request) {
      const input = decode(UntagResource, request)
      const secret = store.findLiving(input.SecretId)
      const tags = (secret.tags ?? []).filter(({ Key }) => !input.TagKeys.includes(Key))
      store.write({ ...secret, lastChangedAt: now(), tags })
      return undefined
    },

    GetRandomPassword: (request) => ({ RandomPassword: randomPassword(request, random) }),
  }

  /** Deletion without recovery succeeds for a secret that never was. */
  function forget(secretId: string): object {
    const DeletionDate = epochSeconds(now())
    const secret = foundOrUndefined(secretId)
    if (secret === undefined) return { Name: secretId, DeletionDate }
    store.remove(secret.name)
    return { ARN: secret.arn, Name: secret.name, DeletionDate }
  }

  function foundOrUndefined(secretId: string): Secret | undefined {
    try {
      return store.find(secretId)
    } catch (error) {
      if (error instanceof AwsError && error.code === 'ResourceNotFoundException') return undefined
      throw error
    }
  }
}

function record(secret: Secret): object {
  const { rotation } = secret
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description,
    KmsKeyId: secret.kmsKeyId,
    RotationEnabled: rotation?.enabled,
    RotationLambdaARN: rotation?.lambdaArn,
    RotationRules: rotation?.rules,
    LastRotatedDate: optionalInstant(rotation?.lastRotatedAt),
    NextRotationDate: optionalInstant(nextRotationAt(secret)),
    LastChangedDate: epochSeconds(secret.lastChangedAt),
    LastAccessedDate: optionalInstant(secret.lastAccessedOn),
    DeletedDate: optionalInstant(secret.deletion?.markedAt),
    Tags: secret.tags,
    CreatedDate: epochSeconds(secret.createdAt),
  }
}

/** Labelled versions only: an unlabelled one is deprecated and not shown. */
function stages(secret: Secret): object | undefined {
  const labelled = secret.versions.filter(({ labels }) => labels.length > 0)
  return labelled.length === 0
    ? undefined
    : Object.fromEntries(labelled.map(({ id, labels }) => [id, labels]))
}

function optionalInstant(instant: Date | undefined): number | undefined {
  return instant === undefined ? undefined : epochSeconds(instant)
}
