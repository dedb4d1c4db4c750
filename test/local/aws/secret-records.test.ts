import { describe, expect, test } from 'vitest'
import { id, setUp } from './setup.ts'

const SecretId = 'token-rotator/ftd-hq/enrollment'
const day = 86_400

async function setUpWithVersions() {
  const world = await setUp()
  const { secrets } = world
  await secrets.createSecret({
    Name: SecretId,
    ClientRequestToken: id(1),
    SecretString: 'value 1',
    Tags: [{ Key: 'vendor', Value: 'cisco-ftd' }],
  })
  for (const n of [2, 3]) {
    await secrets.putSecretValue({
      SecretId,
      ClientRequestToken: id(n),
      SecretString: `value ${n}`,
    })
  }
  return world
}

describe('DescribeSecret', () => {
  test('shows labelled versions only, and no value', async () => {
    const { secrets } = await setUpWithVersions()
    const described = await secrets.describeSecret({ SecretId })
    expect(described).toMatchObject({
      Name: SecretId,
      CreatedDate: new Date('2026-01-01T00:00:00Z'),
      Tags: [{ Key: 'vendor', Value: 'cisco-ftd' }],
    })
    expect(described.VersionIdsToStages).toEqual({
      [id(2)]: ['AWSPREVIOUS'],
      [id(3)]: ['AWSCURRENT'],
    })
    expect(JSON.stringify(described)).not.toContain('value')
  })

  test('omits what was never given', async () => {
    const { secrets } = await setUp()
    await secrets.createSecret({ Name: 'bare' })
    const described = await secrets.describeSecret({ SecretId: 'bare' })
    const { $metadata, ...members } = described
    expect(Object.keys(members).sort()).toEqual(['ARN', 'CreatedDate', 'LastChangedDate', 'Name'])
  })
})

describe('ListSecretVersionIds', () => {
  test('hides versions without label unless they are asked for', async () => {
    const { secrets } = await setUpWithVersions()
    const { Versions } = await secrets.listSecretVersionIds({ SecretId })
    expect(Versions?.map(({ VersionId }) => VersionId)).toEqual([id(2), id(3)])
    const all = await secrets.listSecretVersionIds({ SecretId, IncludeDeprecated: true })
    expect(all.Versions?.map(({ VersionId }) => VersionId)).toEqual([id(1), id(2), id(3)])
    expect(all.Versions?.[0]).not.toHaveProperty('VersionStages')
  })

  test('names the key of each version, and the day it was read if it was', async () => {
    const { secrets } = await setUpWithVersions()
    await secrets.updateSecret({ SecretId, KmsKeyId: 'alias/mine' })
    await secrets.putSecretValue({ SecretId, ClientRequestToken: id(4), SecretString: 'value 4' })
    await secrets.getSecretValue({ SecretId })
    const { Versions } = await secrets.listSecretVersionIds({ SecretId })
    expect(Versions).toMatchObject([
      { VersionId: id(3), KmsKeyIds: ['DefaultEncryptionKey'] },
      {
        VersionId: id(4),
        KmsKeyIds: ['alias/mine'],
        LastAccessedDate: new Date('2026-01-01T00:00:00Z'),
      },
    ])
    expect(Versions?.[0]).not.toHaveProperty('LastAccessedDate')
  })

  test('gives page after page', async () => {
    const { secrets } = await setUpWithVersions()
    const first = await secrets.listSecretVersionIds({ SecretId, MaxResults: 1 })
    expect(first.Versions?.map(({ VersionId }) => VersionId)).toEqual([id(2)])
    const second = await secrets.listSecretVersionIds({
      SecretId,
      MaxResults: 1,
      NextToken: first.NextToken,
    })
    expect(second.Versions?.map(({ VersionId }) => VersionId)).toEqual([id(3)])
    expect(second).not.toHaveProperty('NextToken')
  })
})

describe('DeleteSecret', () => {
  test('keeps the secret for 30 days, in which only describing and restoring it work', async () => {
    const { secrets } = await setUpWithVersions()
    expect(await secrets.deleteSecret({ SecretId })).toMatchObject({
      DeletionDate: new Date('2026-01-31T00:00:00Z'),
    })
    expect(await secrets.describeSecret({ SecretId })).toMatchObject({
      DeletedDate: new Date('2026-01-01T00:00:00Z'),
    })
    const uses = [
      () => secrets.getSecretValue({ SecretId }),
      () => secrets.putSecretValue({ SecretId, SecretString: 'x' }),
      () => secrets.updateSecret({ SecretId, SecretString: 'x' }),
      () =>
        secrets.updateSecretVersionStage({ SecretId, VersionStage: 'x', MoveToVersionId: id(2) }),
      () => secrets.tagResource({ SecretId, Tags: [{ Key: 'a', Value: 'b' }] }),
      () => secrets.untagResource({ SecretId, TagKeys: ['a'] }),
      () => secrets.deleteSecret({ SecretId }),
    ]
    for (const use of uses) {
      await expect(use()).rejects.toMatchObject({
        name: 'InvalidRequestException',
        message:
          "You can't perform this operation on the secret because it was marked for deletion.",
      })
    }
    await secrets.restoreSecret({ SecretId })
    expect(await secrets.getSecretValue({ SecretId })).toMatchObject({ SecretString: 'value 3' })
  })

  test('removes the secret, and frees its name, when the window is over', async () => {
    const { secrets, wait } = await setUpWithVersions()
    await secrets.deleteSecret({ SecretId, RecoveryWindowInDays: 7 })
    wait(7 * day - 1)
    await expect(secrets.createSecret({ Name: SecretId })).rejects.toMatchObject({
      name: 'InvalidRequestException',
    })
    wait(1)
    await expect(secrets.restoreSecret({ SecretId })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
    await secrets.createSecret({ Name: SecretId })
  })

  test.each([6, 31])('refuses a window of %i days', async (RecoveryWindowInDays) => {
    const { secrets } = await setUpWithVersions()
    await expect(secrets.deleteSecret({ SecretId, RecoveryWindowInDays })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    })
  })

  test('with force frees the name at once; the next secret of that name has another ARN', async () => {
    const { secrets } = await setUpWithVersions()
    const { ARN } = await secrets.deleteSecret({ SecretId, ForceDeleteWithoutRecovery: true })
    const again = await secrets.createSecret({ Name: SecretId })
    expect(again.ARN).not.toBe(ARN)
    await expect(secrets.describeSecret({ SecretId: ARN })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('with force succeeds for a secret that never was', async () => {
    const { secrets } = await setUp()
    const request = { SecretId: 'nothing', ForceDeleteWithoutRecovery: true }
    expect(await secrets.deleteSecret(request)).toMatchObject({ Name: 'nothing' })
    await expect(secrets.deleteSecret({ SecretId: 'nothing' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('refuses force together with a window', async () => {
    const { secrets } = await setUpWithVersions()
    await expect(
      secrets.deleteSecret({
        SecretId,
        ForceDeleteWithoutRecovery: true,
        RecoveryWindowInDays: 7,
      }),
    ).rejects.toMatchObject({ name: 'InvalidParameterException' })
    await secrets.getSecretValue({ SecretId })
  })
})

describe('tags', () => {
  test('are added, replaced by key, and removed', async () => {
    const { secrets } = await setUpWithVersions()
    await secrets.tagResource({
      SecretId,
      Tags: [
        { Key: 'vendor', Value: 'other' },
        { Key: 'team', Value: 'soc' },
      ],
    })
    expect((await secrets.describeSecret({ SecretId })).Tags).toEqual([
      { Key: 'vendor', Value: 'other' },
      { Key: 'team', Value: 'soc' },
    ])
    await secrets.untagResource({ SecretId, TagKeys: ['vendor', 'team'] })
    expect((await secrets.describeSecret({ SecretId })).Tags).toEqual([])
  })
})

describe('GetRandomPassword', () => {
  test('gives 32 characters with every type among them', async () => {
    const { secrets } = await setUp()
    const { RandomPassword } = await secrets.getRandomPassword({})
    expect(RandomPassword).toMatch(/^[!-~]{32}$/)
    for (const type of [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/]) {
      expect(RandomPassword).toMatch(type)
    }
  })

  test('leaves out what is to be excluded', async () => {
    const { secrets } = await setUp()
    const { RandomPassword } = await secrets.getRandomPassword({
      PasswordLength: 500,
      ExcludePunctuation: true,
      ExcludeUppercase: true,
      ExcludeCharacters: 'abc0',
      IncludeSpace: true,
    })
    expect(RandomPassword).toMatch(/^[d-z1-9 ]{500}$/)
    expect(RandomPassword).toContain(' ')
  })

  test.each([
    [
      'nothing is left to draw from',
      {
        ExcludeCharacters: '0123456789',
        ExcludeLowercase: true,
        ExcludeUppercase: true,
        ExcludePunctuation: true,
      },
    ],
    ['it is too short for one of each type', { PasswordLength: 3 }],
  ])('is refused if %s', async (_, request) => {
    const { secrets } = await setUp()
    await expect(secrets.getRandomPassword(request)).rejects.toMatchObject({
      name: 'InvalidParameterException',
    })
  })
})

test('an operation that is not played is refused with the names of those that are', async () => {
  const { secrets } = await setUpWithVersions()
  await expect(secrets.getResourcePolicy({ SecretId })).rejects.toMatchObject({
    name: 'UnknownOperationException',
    message: expect.stringMatching(/^GetResourcePolicy is not supported here; .*PutSecretValue, /),
  })
})
