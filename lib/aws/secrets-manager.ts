import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { StoreError } from '../core/errors.ts'
import type { SecretStore } from '../core/ports.ts'
import { nameOf, storeCall } from './store-error.ts'

/** The secret store on AWS Secrets Manager. */
export function secretsManagerStore(client: SecretsManagerClient): SecretStore {
  return {
    read: (secretId, versionId) =>
      storeCall('GetSecretValue', async () => {
        try {
          const found = await client.send(
            new GetSecretValueCommand({
              SecretId: secretId,
              ...(versionId === undefined ? {} : { VersionId: versionId }),
            }),
          )
          if (found.SecretString === undefined || found.VersionId === undefined) return undefined
          return { versionId: found.VersionId, text: found.SecretString }
        } catch (error) {
          // No such version, or a secret that has no value yet.
          if (nameOf(error) === 'ResourceNotFoundException') return undefined
          throw error
        }
      }),

    currentId: (secretId) =>
      storeCall('DescribeSecret', async () => {
        const stages = await stagesOf(client, secretId)
        return Object.keys(stages).find((id) => stages[id]?.includes('AWSCURRENT'))
      }),

    put: (secretId, { versionId, text }, label) =>
      storeCall('PutSecretValue', async () => {
        try {
          await client.send(
            new PutSecretValueCommand({
              SecretId: secretId,
              ClientRequestToken: versionId,
              SecretString: text,
              // Without stages, AWSCURRENT moves here; with AWSPENDING given, it stays where it is.
              ...(label === 'pending' ? { VersionStages: ['AWSPENDING'] } : {}),
            }),
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
      storeCall('UpdateSecretVersionStage', async () => {
        try {
          await client.send(
            new UpdateSecretVersionStageCommand({
              SecretId: secretId,
              VersionStage: 'AWSCURRENT',
              MoveToVersionId: to,
              RemoveFromVersionId: from,
            }),
          )
          return 'promoted'
        } catch (error) {
          // AWSCURRENT is not on `from`: moved by an earlier try whose answer was lost, or by a person.
          if (nameOf(error) === 'InvalidParameterException')
            return whereIsCurrent(client, secretId, to)
          // Everything is eventually consistent here: a version just written may not be there yet.
          if (nameOf(error) === 'ResourceNotFoundException') {
            throw new StoreError('UpdateSecretVersionStage does not see the version yet', 'retry')
          }
          throw error
        }
      }),
  }
}

async function whereIsCurrent(client: SecretsManagerClient, secretId: string, to: string) {
  const stages = await stagesOf(client, secretId)
  return stages[to]?.includes('AWSCURRENT') ? 'promoted' : 'superseded'
}

async function stagesOf(client: SecretsManagerClient, secretId: string) {
  const { VersionIdsToStages } = await client.send(
    new DescribeSecretCommand({ SecretId: secretId }),
  )
  return VersionIdsToStages ?? {}
}
