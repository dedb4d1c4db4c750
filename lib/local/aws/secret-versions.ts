import { AwsError } from './aws-error.ts'
import type { Secret, SecretContent, SecretVersion } from './state.ts'

export const current = 'AWSCURRENT'
export const previous = 'AWSPREVIOUS'
export const pending = 'AWSPENDING'

/** Versions per secret, and staging labels per secret over all its versions. */
const maxVersions = 100
const maxLabels = 20

/**
 * How the quota of 100 versions is read. AWS purges unlabelled versions past 100, "but never if
 * younger than 24 hours"; whether the 101st young version is refused or displaces the oldest
 * unlabelled one is not settled, so both can be played.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
 */
export interface VersionLimits {
  readonly quota: 'enforced' | 'purging'
  /** How long a version is safe from being purged; 86,400 at AWS. */
  readonly windowSeconds: number
}

export interface NewVersion {
  /** The ClientRequestToken: it becomes the version's id. */
  readonly id: string
  readonly content: SecretContent
  /** Labels to attach; undefined: AWSCURRENT, as a plain PutSecretValue does. */
  readonly labels: readonly string[] | undefined
  /** Whether AWSPENDING comes off the version that loses AWSCURRENT. */
  readonly settlesPending: boolean
}

/**
 * The secret with one more version. The same id with the same content changes nothing, so that a
 * repeated request is harmless.
 *
 * - The first version of a secret gets AWSCURRENT, whatever labels were asked for.
 * - A label is taken from whichever version holds it, without complaint.
 *
 * @throws {AwsError} ResourceExistsException: the id is taken by other content;
 *   LimitExceededException: 100 versions that may not be purged, or more than 20 labels
 */
export function addVersion(
  secret: Secret,
  { id, content, labels, settlesPending }: NewVersion,
  limits: VersionLimits,
  now: Date,
): Secret {
  const existing = secret.versions.find((version) => version.id === id)
  if (existing?.content !== undefined) {
    if (sameContent(existing.content, content)) return secret
    throw new AwsError(
      'ResourceExistsException',
      `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret ${secret.arn}.`,
    )
  }
  const wanted = new Set(labels ?? [current])
  // AWSCURRENT goes last: attaching it puts AWSPREVIOUS where the rules want it.
  if (wanted.delete(current) || secret.versions.length === 0) wanted.add(current)
  const demoted = holderOf(secret, current)
  // What a rotation has registered without a value is filled in its place, and keeps its labels.
  const versions =
    existing === undefined
      ? [...purged(secret.versions, limits, now), newVersion(secret, id, content, now)]
      : secret.versions.map((each) => (each === existing ? { ...existing, content } : each))
  let next: Secret = { ...secret, lastChangedAt: now, versions }
  if (settlesPending && demoted !== undefined) next = withLabel(next, pending, demoted.id, false)
  for (const label of wanted) next = attach(next, label, id)
  return withinLabelLimit(next)
}

/**
 * The secret with one more version under AWSPENDING: the empty one that a rotation begins with, or the
 * copy that its configuration is tested with.
 *
 * @throws {AwsError} LimitExceededException
 */
export function withPending(
  secret: Secret,
  id: string,
  content: SecretContent | undefined,
  limits: VersionLimits,
  now: Date,
): Secret {
  const versions = [...purged(secret.versions, limits, now), newVersion(secret, id, content, now)]
  return withinLabelLimit(attach({ ...secret, versions }, pending, id))
}

/** The secret without AWSPENDING on this version; elsewhere it stays. */
export function withoutPending(secret: Secret, id: string): Secret {
  return withLabel(secret, pending, id, false)
}

function newVersion(
  { kmsKeyId }: Secret,
  id: string,
  content: SecretContent | undefined,
  createdAt: Date,
): SecretVersion {
  return {
    id,
    createdAt,
    labels: [],
    ...(content === undefined ? {} : { content }),
    ...(kmsKeyId === undefined ? {} : { kmsKeyId }),
  }
}

/**
 * UpdateSecretVersionStage: a compare-and-swap on one label. A label that is attached elsewhere moves
 * only if the caller names the version that holds it. AWSPREVIOUS follows AWSCURRENT; AWSPENDING stays
 * where it is.
 *
 * @throws {AwsError} InvalidParameterException: `removeFrom` is missing or does not hold the label;
 *   ResourceNotFoundException: no version `moveTo`
 */
export function moveLabel(
  secret: Secret,
  label: string,
  { moveTo, removeFrom }: { moveTo: string | undefined; removeFrom: string | undefined },
  now: Date,
): Secret {
  const holder = holderOf(secret, label)
  if (moveTo === undefined && removeFrom === undefined) {
    throw parameter('You must provide MoveToVersionId, RemoveFromVersionId, or both.')
  }
  if (moveTo !== undefined && !secret.versions.some(({ id }) => id === moveTo)) {
    throw new AwsError(
      'ResourceNotFoundException',
      `Secrets Manager can't find the specified secret value for VersionId: ${moveTo}`,
    )
  }
  if (removeFrom !== undefined && removeFrom !== holder?.id) {
    throw parameter(
      `The parameter RemoveFromVersionId is not valid. Staging label ${label} is ${attachment(holder)}.`,
    )
  }
  if (moveTo === undefined) {
    if (label === current) {
      throw parameter(
        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
      )
    }
    return { ...withLabel(secret, label, removeFrom, false), lastChangedAt: now }
  }
  if (holder?.id === moveTo) return secret
  if (holder !== undefined && removeFrom === undefined) {
    throw parameter(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${label} is ${attachment(holder)}, so you must explicitly reference that version in RemoveFromVersionId.`,
    )
  }
  return withinLabelLimit({ ...attach(secret, label, moveTo), lastChangedAt: now })
}

/** The version a label is on. */
export function holderOf(secret: Secret, label: string): SecretVersion | undefined {
  return secret.versions.find(({ labels }) => labels.includes(label))
}

function attach(secret: Secret, label: string, id: string): Secret {
  const holder = holderOf(secret, label)
  if (holder?.id === id) return secret
  let next = withLabel(secret, label, holder?.id, false)
  if (label === current && holder !== undefined) {
    next = withLabel(next, previous, holderOf(next, previous)?.id, false)
    next = withLabel(next, previous, holder.id, true)
  }
  return withLabel(next, label, id, true)
}

function withLabel(secret: Secret, label: string, id: string | undefined, on: boolean): Secret {
  if (id === undefined) return secret
  const versions = secret.versions.map((version) => {
    if (version.id !== id) return version
    const others = version.labels.filter((held) => held !== label)
    return { ...version, labels: on ? [...others, label].sort() : others }
  })
  return { ...secret, versions }
}

/** Makes room for one more version, by the reading of the quota that is being played. */
function purged(
  versions: readonly SecretVersion[],
  { quota, windowSeconds }: VersionLimits,
  now: Date,
): readonly SecretVersion[] {
  const kept = [...versions]
  while (kept.length >= maxVersions) {
    const oldest = kept.findIndex(
      ({ labels, createdAt }) =>
        labels.length === 0 &&
        (quota === 'purging' || now.getTime() - createdAt.getTime() >= windowSeconds * 1000),
    )
    if (oldest === -1) {
      throw new AwsError(
        'LimitExceededException',
        `A secret can have at most ${maxVersions} versions, and none of this secret's can be purged yet.`,
      )
    }
    kept.splice(oldest, 1)
  }
  return kept
}

function withinLabelLimit(secret: Secret): Secret {
  if (secret.versions.flatMap(({ labels }) => labels).length > maxLabels) {
    throw new AwsError(
      'LimitExceededException',
      `A secret can have at most ${maxLabels} staging labels over all its versions.`,
    )
  }
  return secret
}

function sameContent(one: SecretContent, other: SecretContent): boolean {
  if ('string' in one) return 'string' in other && one.string === other.string
  return 'binary' in other && one.binary === other.binary
}

function attachment(holder: SecretVersion | undefined): string {
  return holder === undefined
    ? 'not attached to any version'
    : `currently attached to version ${holder.id}`
}

function parameter(message: string): AwsError {
  return new AwsError('InvalidParameterException', message)
}
