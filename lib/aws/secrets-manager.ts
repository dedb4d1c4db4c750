import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { StoreError } from '../core/errors.ts'
import type { SecretStore } from '../core/ports.ts'
import { type Limit, nameOf, storeCall } from './store-error.ts'

/** A native rotation: the version that it is to fill, and what AWS wants to see with it. */
export interface RotationWrite {
  readonly versionId: string
  readonly rotationToken: string | undefined
}

/**
 * The secret store on AWS Secrets Manager.
 *
 * @param rotation the one under way, if one is: its token goes with its version and no other
 */
export function secretsManagerStore(
  client: SecretsManagerClient,
  rotation?: RotationWrite,
): SecretStore {
  const tokenOf = (versionId: string) =>
    versionId === rotation?.versionId ? rotation.rotationToken : undefined
  return {
    read: (secretId, versionId) =>
      storeCall('GetSecretValue', async (limit) => {
        try {
          const found = await client.send(
            new GetSecretValueCommand({
              SecretId: secretId,
              ...(versionId === undefined ? {} : { VersionId: versionId }),
            }),
            limit,
          )
          const { SecretString: text, VersionId, CreatedDate: createdAt } = found
          if (text === undefined || VersionId === undefined) return undefined
          return { versionId: VersionId, text, ...(createdAt === undefined ? {} : { createdAt }) }
        } catch (error) {
          // No such version, or a secret that has no value yet.
          if (nameOf(error) === 'ResourceNotFoundException') return undefined
          throw error
        }
      }),

    currentId: (secretId) =>
      storeCall('DescribeSecret', async (limit) => {
        const stages = await stagesOf(client, secretId, limit)
        return Object.keys(stages).find((id) => stages[id]?.includes('AWSCURRENT'))
      }),

    put: (secretId, { versionId, text }, label) =>
      storeCall('PutSecretValue', async (limit) => {
        try {
          await client.send(
            new PutSecretValueCommand({
              SecretId: secretId,
              ClientRequestToken: versionId,
              SecretString: text,
              RotationToken: tokenOf(versionId),
              // Without stages, AWSCURRENT moves here; with AWSPENDING given, it stays where it is.
              ...(label === 'pending' ? { VersionStages: ['AWSPENDING'] } : {}),
            }),
            limit,
          )
          return 'stored'
        } catch (error) {
          if (nameOf(error) === 'ResourceExistsException') return 'conflict'
          if (nameOf(error) === 'ResourceNotFoundException') {
            throw new StoreError(
              `the secret ${secretId} does not exist; deploy the stack`,
              'denied',
            )
          }
          throw error
        }
      }),

    promote: (secretId, { from, to }) =>
      storeCall('UpdateSecretVersionStage', async (limit) => {
        try {
          await client.send(
            new UpdateSecretVersionStageCommand({
              SecretId: secretId,
              VersionStage: 'AWSCURRENT',
              MoveToVersionId: to,
              ...(from === undefined ? {} : { RemoveFromVersionId: from }),
            }),
            limit,
          )
          return 'promoted'
        } catch (error) {
          // AWSCURRENT is not on `from`: moved by an earlier try whose answer was lost, or by a person.
          if (nameOf(error) === 'InvalidParameterException')
            return whereIsCurrent(client, secretId, to, limit)
          // Everything is eventually consistent here: a version just written may not be there yet.
          if (nameOf(error) === 'ResourceNotFoundException') {
            throw new StoreError('UpdateSecretVersionStage does not see the version yet', 'retry')
          }
          throw error
        }
      }),
  }
}

async function whereIsCurrent(
  client: SecretsManagerClient,
  secretId: string,
  to: string,
  limit: Limit,
) {
  const stages = await stagesOf(client, secretId, limit)
  return stages[to]?.includes('AWSCURRENT') ? 'promoted' : 'superseded'
}

async function stagesOf(client: SecretsManagerClient, secretId: string, limit: Limit) {
  const { VersionIdsToStages } = await client.send(
    new DescribeSecretCommand({ SecretId: secretId }),
    limit,
  )
  return VersionIdsToStages ?? {}
}
