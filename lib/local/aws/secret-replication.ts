import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { decode, text } from './input.ts'
import type { Operation, SecretsContext } from './operation.ts'
import type { Replication } from './replication.ts'
import { SecretId } from './secret-input.ts'
import type { Secret } from './state.ts'

const Region = v.pipe(text(1, 128), v.regex(/^([a-z]+-)+\d+$/))
const ReplicateSecretToRegions = v.object({
  SecretId,
  AddReplicaRegions: v.pipe(v.array(v.object({ Region })), v.minLength(1)),
  ForceOverwriteReplicaSecret: v.optional(v.boolean(), false),
})
const StopReplicationToReplica = v.object({ SecretId })
const RemoveRegionsFromReplication = v.object({
  SecretId,
  RemoveReplicaRegions: v.pipe(v.array(Region), v.minLength(1)),
})

/**
 * The operations of Secrets Manager that make replicas in other regions and secrets out of them.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/create-manage-multi-region-secrets.html
 */
export function secretReplication({
  store,
  surroundings,
  replication,
}: SecretsContext): Record<string, Operation> {
  const { region: own } = surroundings
  const answer = (secret: Secret) => ({
    ARN: secret.arn,
    ReplicationStatus: replicationStatus(secret, own, replication),
  })

  return {
    ReplicateSecretToRegions(request) {
      const input = decode(ReplicateSecretToRegions, request)
      const secret = writable(store.findLiving(input.SecretId), own)
      const added = input.AddReplicaRegions.map(({ Region: region }) => region)
      if (added.includes(own)) {
        throw new AwsError('InvalidParameterException', 'Invalid replica region.')
      }
      const kept = (secret.replicas ?? []).filter(({ region }) => !added.includes(region))
      const overwrites = input.ForceOverwriteReplicaSecret
      const replicas = [...kept, ...added.map((region) => ({ region, overwrites }))]
      store.write({ ...secret, replicas })
      return answer(store.findLiving(input.SecretId))
    },

    StopReplicationToReplica(request) {
      const secret = store.findLiving(decode(StopReplicationToReplica, request).SecretId)
      const { primaryRegion: primary, ...standalone } = secret
      if (primary === undefined) {
        throw new AwsError(
          'InvalidRequestException',
          'You can only stop replication of a secret from the region of its replica.',
        )
      }
      store.write(standalone)
      return { ARN: secret.arn }
    },

    RemoveRegionsFromReplication(request) {
      const input = decode(RemoveRegionsFromReplication, request)
      const secret = writable(store.findLiving(input.SecretId), own)
      const removed = new Set<string>(input.RemoveReplicaRegions)
      const replicas = (secret.replicas ?? []).filter(({ region }) => !removed.has(region))
      store.write({ ...secret, replicas })
      for (const region of removed) replication?.remove(own, region, secret.name)
      return answer(store.findLiving(input.SecretId))
    },
  }
}

/** A secret that may be changed here. @throws {AwsError} InvalidRequestException: it is a replica */
export function writable(secret: Secret, own: string): Secret {
  if (secret.primaryRegion === undefined || secret.primaryRegion === own) return secret
  throw new AwsError(
    'InvalidRequestException',
    "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
  )
}

/** How far each replica of a secret has come, as DescribeSecret shows it; nothing for a secret without any. */
export function replicationStatus(
  { replicas, name }: Secret,
  own: string,
  replication: Replication | undefined,
): readonly object[] | undefined {
  if (replicas === undefined || replicas.length === 0) return undefined
  return replicas.map(({ region }) => {
    if (replication?.isOnItsWay(own, region, name)) return { Region: region, Status: 'InProgress' }
    const isReplica = replication?.find(region, name)?.primaryRegion === own
    return isReplica
      ? { Region: region, Status: 'InSync' }
      : {
          Region: region,
          Status: 'Failed',
          StatusMessage: `Replication failed: Secret name ${name} already exists in region ${region}.`,
        }
  })
}
