import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import { expect, onTestFinished, test } from 'vitest'
import { startAwsEndpoint } from '../../../lib/local/aws/endpoint.ts'
import { createReplication } from '../../../lib/local/aws/replication.ts'
import { connect, id } from './setup.ts'

const SecretId = 'one'

/** Two regions; the first has a secret with one version, of which the second has a replica if asked for. */
async function twoRegions({ isReplicated = true } = {}) {
  const replication = createReplication()
  const region = async (name: string) => {
    const endpoint = await startAwsEndpoint({ port: 0, region: name, replication })
    onTestFinished(() => endpoint.close())
    return connect(endpoint, SecretsManager)
  }
  const first = await region('eu-central-1')
  const second = await region('eu-west-1')
  await first.createSecret({ Name: SecretId, ClientRequestToken: id(1), SecretString: 'one' })
  const AddReplicaRegions = [{ Region: 'eu-west-1' }]
  if (isReplicated) await first.replicateSecretToRegions({ SecretId, AddReplicaRegions })
  const put = (where: SecretsManager, n: number) =>
    where.putSecretValue({ SecretId, ClientRequestToken: id(n), SecretString: `value ${n}` })
  const status = async () => (await first.describeSecret({ SecretId })).ReplicationStatus
  return { replication, first, second, put, status, AddReplicaRegions }
}

test('a replica has the versions, labels and ids of its primary, and follows it', async () => {
  const { first, second, put, status } = await twoRegions()
  await put(first, 2)
  expect(await second.getSecretValue({ SecretId })).toMatchObject({
    ARN: expect.stringContaining(':eu-west-1:'),
    VersionId: id(2),
    SecretString: 'value 2',
    VersionStages: ['AWSCURRENT'],
  })
  expect(await second.getSecretValue({ SecretId, VersionId: id(1) })).toMatchObject({
    VersionStages: ['AWSPREVIOUS'],
  })
  expect(await second.describeSecret({ SecretId })).toMatchObject({ PrimaryRegion: 'eu-central-1' })
  expect(await status()).toEqual([{ Region: 'eu-west-1', Status: 'InSync' }])
})

test('a replica lags behind as long as AWS likes', async () => {
  const { replication, first, second, put, status } = await twoRegions()
  replication.hold()
  await put(first, 2)
  expect(await status()).toEqual([{ Region: 'eu-west-1', Status: 'InProgress' }])
  expect(await second.getSecretValue({ SecretId })).toMatchObject({ SecretString: 'one' })
  replication.release()
  expect(await second.getSecretValue({ SecretId })).toMatchObject({ SecretString: 'value 2' })
})

test('a replica is read-only until its replication is stopped; then it goes its own way', async () => {
  const { first, second, put, status } = await twoRegions()
  const refused = {
    name: 'InvalidRequestException',
    message:
      "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
  }
  await expect(put(second, 2)).rejects.toMatchObject(refused)
  await expect(second.updateSecret({ SecretId, SecretString: 'x' })).rejects.toMatchObject(refused)
  await expect(
    second.updateSecretVersionStage({ SecretId, VersionStage: 'mine', MoveToVersionId: id(1) }),
  ).rejects.toMatchObject(refused)
  await expect(second.deleteSecret({ SecretId })).rejects.toMatchObject(refused)
  await expect(second.rotateSecret({ SecretId })).rejects.toMatchObject(refused)
  await expect(second.cancelRotateSecret({ SecretId })).rejects.toMatchObject(refused)
  await second.stopReplicationToReplica({ SecretId })
  await put(second, 2)
  await put(first, 3)
  expect(await second.getSecretValue({ SecretId })).toMatchObject({ SecretString: 'value 2' })
  expect(await status()).toMatchObject([{ Status: 'Failed' }])
  await expect(second.stopReplicationToReplica({ SecretId })).rejects.toMatchObject({
    name: 'InvalidRequestException',
  })
})

test('a secret of the same name gives way only if it is to', async () => {
  const { first, second, status, AddReplicaRegions } = await twoRegions({ isReplicated: false })
  await second.createSecret({ Name: SecretId, SecretString: 'another' })
  await first.replicateSecretToRegions({ SecretId, AddReplicaRegions })
  expect(await status()).toMatchObject([{ Status: 'Failed' }])
  expect(await second.getSecretValue({ SecretId })).toMatchObject({ SecretString: 'another' })
  const ForceOverwriteReplicaSecret = true
  await first.replicateSecretToRegions({ SecretId, AddReplicaRegions, ForceOverwriteReplicaSecret })
  expect(await status()).toMatchObject([{ Status: 'InSync' }])
  expect(await second.getSecretValue({ SecretId })).toMatchObject({ SecretString: 'one' })
})

test('a primary is deleted after its replicas', async () => {
  const { first, second } = await twoRegions()
  await expect(first.deleteSecret({ SecretId })).rejects.toMatchObject({
    name: 'InvalidRequestException',
  })
  await first.removeRegionsFromReplication({ SecretId, RemoveReplicaRegions: ['eu-west-1'] })
  await expect(second.describeSecret({ SecretId })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  })
  await first.deleteSecret({ SecretId })
})
