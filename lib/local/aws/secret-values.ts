import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { decode, Tags, text, whole } from './input.ts'
import type { Operation, SecretsContext } from './operation.ts'
import { page } from './paging.ts'
import {
  contentOf,
  noContent,
  SecretId,
  SecretName,
  StagingLabel,
  tokenOf,
  VersionId,
  valueMembers,
} from './secret-input.ts'
import { writable } from './secret-replication.ts'
import type { Lag } from './secret-store.ts'
import { addVersion, current, holderOf, moveLabel } from './secret-versions.ts'
import { Filters, matching } from './secrets-list.ts'
import type { Secret, SecretVersion } from './state.ts'
import { epochSeconds } from './surroundings.ts'

/** Members that make replicas, or secrets of other vendors' types: refused, not ignored. */
const unsupported = v.optional(v.pipe(v.array(v.unknown()), v.maxLength(0)))

const CreateSecret = v.object({
  Name: SecretName,
  Description: v.optional(text(0, 2048)),
  KmsKeyId: v.optional(text(0, 2048)),
  Tags: v.optional(Tags),
  AddReplicaRegions: unsupported,
  ...valueMembers,
})

const PutSecretValue = v.object({
  SecretId,
  VersionStages: v.optional(v.pipe(v.array(StagingLabel), v.minLength(1), v.maxLength(20))),
  // Tells AWS that a rotation writes this, where the writer has another role or account. No such here.
  RotationToken: v.optional(text(36, 256)),
  ...valueMembers,
})

const UpdateSecret = v.object({
  SecretId,
  Description: v.optional(text(0, 2048)),
  KmsKeyId: v.optional(text(0, 2048)),
  ...valueMembers,
})

const UpdateSecretVersionStage = v.object({
  SecretId,
  VersionStage: StagingLabel,
  MoveToVersionId: v.optional(VersionId),
  RemoveFromVersionId: v.optional(VersionId),
})

const GetSecretValue = v.object({
  SecretId,
  VersionId: v.optional(VersionId),
  VersionStage: v.optional(StagingLabel),
})

const BatchGetSecretValue = v.object({
  SecretIdList: v.optional(v.pipe(v.array(SecretId), v.minLength(1), v.maxLength(20))),
  Filters: v.optional(Filters),
  MaxResults: v.optional(whole(1, 20)),
  NextToken: v.optional(text(1, 4096)),
})

/** The operations of Secrets Manager that write and read values and move labels. */
export function secretValues({
  store,
  limits,
  surroundings,
}: SecretsContext): Record<string, Operation> {
  const { now, region } = surroundings

  function withVersion(secret: Secret, version: Parameters<typeof addVersion>[1]): Secret {
    const next = addVersion(secret, version, limits, now())
    if (next !== secret) store.write(next)
    return next
  }

  function read(secret: Secret, version: SecretVersion): object {
    const { content } = version
    if (content === undefined) throw noValue(`VersionId: ${version.id}`)
    const lastAccessedOn = startOfDay(now())
    // A lagging read may be of a state that is gone, which can no longer be marked.
    if (
      version.lastAccessedOn?.getTime() !== lastAccessedOn.getTime() &&
      store.named(secret.name) === secret
    ) {
      const versions = secret.versions.map((each) =>
        each.id === version.id ? { ...each, lastAccessedOn } : each,
      )
      store.touch({ ...secret, lastAccessedOn, versions })
    }
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      ...('string' in content
        ? { SecretString: content.string }
        : { SecretBinary: content.binary }),
      ...(version.labels.length > 0 ? { VersionStages: version.labels } : {}),
      CreatedDate: epochSeconds(version.createdAt),
    }
  }

  function readById(secretId: string, lag: Lag | undefined): object {
    const secret = store.findLiving(secretId, lag)
    return read(secret, versionOf(secret, undefined, current))
  }

  return {
    CreateSecret(request) {
      const input = decode(CreateSecret, request)
      const token = tokenOf(input)
      const content = contentOf(input)
      const existing = store.named(input.Name)
      if (existing?.deletion !== undefined) {
        throw new AwsError(
          'InvalidRequestException',
          "You can't create this secret because a secret with this name is already scheduled for deletion.",
        )
      }
      if (existing !== undefined) {
        const repeated = content && existing.versions.some(({ id }) => id === token)
        if (!repeated) {
          throw new AwsError(
            'ResourceExistsException',
            `The operation failed because the secret ${input.Name} already exists.`,
          )
        }
      }
      const secret = existing ?? {
        name: input.Name,
        arn: store.arnOf(input.Name),
        createdAt: now(),
        lastChangedAt: now(),
        description: input.Description,
        kmsKeyId: input.KmsKeyId,
        tags: input.Tags,
        versions: [],
      }
      if (content === undefined) {
        store.write(secret)
        return { ARN: secret.arn, Name: secret.name }
      }
      withVersion(secret, { id: token, content, labels: undefined, settlesPending: false })
      return { ARN: secret.arn, Name: secret.name, VersionId: token }
    },

    PutSecretValue(request) {
      const input = decode(PutSecretValue, request)
      const token = tokenOf(input)
      const content = contentOf(input)
      if (content === undefined) throw noContent()
      const labels = input.VersionStages
      const secret = withVersion(writable(store.findLiving(input.SecretId), region), {
        id: token,
        content,
        labels,
        settlesPending: labels === undefined,
      })
      const written = secret.versions.find(({ id }) => id === token)
      return {
        ARN: secret.arn,
        Name: secret.name,
        VersionId: token,
        VersionStages: written?.labels,
      }
    },

    UpdateSecret(request) {
      const input = decode(UpdateSecret, request)
      const token = tokenOf(input)
      const content = contentOf(input)
      const found = writable(store.findLiving(input.SecretId), region)
      const secret = {
        ...found,
        lastChangedAt: now(),
        description: input.Description ?? found.description,
        kmsKeyId: input.KmsKeyId ?? found.kmsKeyId,
      }
      if (content === undefined) {
        store.write(secret)
        return { ARN: secret.arn, Name: secret.name }
      }
      const next = { id: token, content, labels: undefined, settlesPending: false }
      store.write(addVersion(secret, next, limits, now()))
      return { ARN: secret.arn, Name: secret.name, VersionId: token }
    },

    UpdateSecretVersionStage(request) {
      const input = decode(UpdateSecretVersionStage, request)
      const secret = writable(store.findLiving(input.SecretId), region)
      const places = { moveTo: input.MoveToVersionId, removeFrom: input.RemoveFromVersionId }
      const next = moveLabel(secret, input.VersionStage, places, now())
      if (next !== secret) store.write(next)
      return { ARN: secret.arn, Name: secret.name }
    },

    GetSecretValue(request, lag) {
      const input = decode(GetSecretValue, request)
      const secret = store.findLiving(input.SecretId, lag)
      return read(secret, versionOf(secret, input.VersionId, input.VersionStage))
    },

    BatchGetSecretValue(request, lag) {
      const { SecretIdList, Filters, MaxResults, NextToken } = decode(BatchGetSecretValue, request)
      if ((SecretIdList === undefined) === (Filters === undefined)) {
        throw new AwsError(
          'InvalidParameterException',
          "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
        )
      }
      if (SecretIdList !== undefined && MaxResults !== undefined) {
        throw new AwsError(
          'InvalidParameterException',
          "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
        )
      }
      const living = () => store.all().filter(({ deletion }) => deletion === undefined)
      const ids = SecretIdList ?? matching(living(), Filters ?? [], region).map(({ name }) => name)
      const { items, nextToken } = page(
        ids,
        MaxResults ?? 20,
        NextToken,
        'InvalidNextTokenException',
      )
      const answers = items.map((id) => valueOrError(id, () => readById(id, lag)))
      return {
        SecretValues: answers.flatMap(({ value }) => value ?? []),
        Errors: answers.flatMap(({ error }) => error ?? []),
        NextToken: nextToken,
      }
    },
  }
}

/** @throws {AwsError} ResourceNotFoundException, or InvalidRequestException if the two do not belong together */
function versionOf(
  secret: Secret,
  versionId: string | undefined,
  label: string | undefined,
): SecretVersion {
  const found =
    versionId === undefined
      ? holderOf(secret, label ?? current)
      : secret.versions.find(({ id }) => id === versionId)
  if (found === undefined) {
    const what =
      versionId === undefined ? `staging label: ${label ?? current}` : `VersionId: ${versionId}`
    throw noValue(what)
  }
  if (versionId !== undefined && label !== undefined && !found.labels.includes(label)) {
    throw new AwsError(
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
    )
  }
  return found
}

function noValue(what: string): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for ${what}`,
  )
}

function valueOrError(secretId: string, read: () => object): { value?: object; error?: object } {
  try {
    return { value: read() }
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    return { error: { SecretId: secretId, ErrorCode: error.code, Message: error.message } }
  }
}

/** AWS keeps the day of the last access only. */
function startOfDay(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / 86_400_000) * 86_400_000)
}
