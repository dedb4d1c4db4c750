import { describe, expect, test } from 'vitest'
import { id, labels, setUp } from './setup.ts'

const SecretId = 'token-rotator/ftd-hq/enrollment'

async function setUpWithSecret(options: Parameters<typeof setUp>[0] = {}) {
  const world = await setUp(options)
  await world.secrets.createSecret({
    Name: SecretId,
    ClientRequestToken: id(1),
    SecretString: 'value 1',
  })
  const put = (n: number, VersionStages?: string[]) =>
    world.secrets.putSecretValue({
      SecretId,
      ClientRequestToken: id(n),
      SecretString: `value ${n}`,
      ...(VersionStages ? { VersionStages } : {}),
    })
  const get = (by: { VersionId?: string; VersionStage?: string } = {}) =>
    world.secrets.getSecretValue({ SecretId, ...by })
  const move = (VersionStage: string, to?: number, from?: number) =>
    world.secrets.updateSecretVersionStage({
      SecretId,
      VersionStage,
      ...(to ? { MoveToVersionId: id(to) } : {}),
      ...(from ? { RemoveFromVersionId: id(from) } : {}),
    })
  return { ...world, put, get, move, labels: () => labels(world.secrets, SecretId) }
}

describe('CreateSecret', () => {
  test('gives the first version AWSCURRENT, under the id that the client chose', async () => {
    const { get } = await setUpWithSecret()
    expect(await get()).toMatchObject({
      ARN: expect.stringMatching(
        /^arn:aws:secretsmanager:us-east-1:123456789012:secret:token-rotator\/ftd-hq\/enrollment-[A-Za-z0-9]{6}$/,
      ),
      Name: SecretId,
      SecretString: 'value 1',
      VersionId: id(1),
      VersionStages: ['AWSCURRENT'],
      CreatedDate: new Date('2026-01-01T00:00:00Z'),
    })
  })

  test('makes a secret without version if no value is given', async () => {
    const { secrets } = await setUp()
    expect(await secrets.createSecret({ Name: 'empty' })).not.toHaveProperty('VersionId')
    expect(await secrets.describeSecret({ SecretId: 'empty' })).not.toHaveProperty(
      'VersionIdsToStages',
    )
    await expect(secrets.getSecretValue({ SecretId: 'empty' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message:
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    })
  })

  test('is done once if it is repeated with the same token and value', async () => {
    const { secrets, labels } = await setUpWithSecret()
    const again = await secrets.createSecret({
      Name: SecretId,
      ClientRequestToken: id(1),
      SecretString: 'value 1',
    })
    expect(again.VersionId).toBe(id(1))
    expect(await labels()).toEqual({ [id(1)]: ['AWSCURRENT'] })
  })

  test.each([
    ['another token', { ClientRequestToken: id(2), SecretString: 'value 1' }],
    ['another value', { ClientRequestToken: id(1), SecretString: 'value 2' }],
    ['no value', { ClientRequestToken: id(1) }],
  ])('refuses a name that exists, given %s', async (_, request) => {
    const { secrets } = await setUpWithSecret()
    await expect(secrets.createSecret({ Name: SecretId, ...request })).rejects.toMatchObject({
      name: 'ResourceExistsException',
    })
  })

  test('refuses a name whose secret awaits deletion', async () => {
    const { secrets } = await setUpWithSecret()
    await secrets.deleteSecret({ SecretId })
    await expect(secrets.createSecret({ Name: SecretId })).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message:
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
    })
  })

  test.each(['with space', 'colon:', 'ü', ''])('refuses the name %j', async (Name) => {
    const { secrets } = await setUp()
    await expect(secrets.createSecret({ Name })).rejects.toMatchObject({
      name: 'ValidationException',
    })
  })
})

describe('a secret id', () => {
  test('is the name, the ARN, or the ARN without its random suffix', async () => {
    const { secrets, get } = await setUpWithSecret()
    const { ARN = '' } = await get()
    for (const each of [SecretId, ARN, ARN.slice(0, -7)]) {
      expect(await secrets.getSecretValue({ SecretId: each })).toMatchObject({ ARN })
    }
    await expect(secrets.getSecretValue({ SecretId: `${ARN}x` })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('that belongs to nothing is ResourceNotFoundException with status 400', async () => {
    const { secrets } = await setUp()
    await expect(secrets.getSecretValue({ SecretId: 'nothing' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret.",
      $metadata: { httpStatusCode: 400 },
    })
  })

  test('of the wrong form is ValidationException', async () => {
    const { secrets } = await setUp()
    await expect(secrets.getSecretValue({ SecretId: 'not a name' })).rejects.toMatchObject({
      name: 'ValidationException',
    })
  })
})

describe('PutSecretValue', () => {
  test('without labels moves AWSCURRENT, and AWSPREVIOUS to the version it left', async () => {
    const { put, labels } = await setUpWithSecret()
    expect(await put(2)).toMatchObject({ VersionId: id(2), VersionStages: ['AWSCURRENT'] })
    expect(await labels()).toEqual({ [id(1)]: ['AWSPREVIOUS'], [id(2)]: ['AWSCURRENT'] })
    await put(3)
    expect(await labels()).toEqual({ [id(2)]: ['AWSPREVIOUS'], [id(3)]: ['AWSCURRENT'] })
  })

  test('with labels attaches those and leaves AWSCURRENT where it is', async () => {
    const { put, labels } = await setUpWithSecret()
    expect(await put(2, ['mine', 'AWSPENDING'])).toMatchObject({
      VersionStages: ['AWSPENDING', 'mine'],
    })
    expect(await labels()).toEqual({ [id(1)]: ['AWSCURRENT'], [id(2)]: ['AWSPENDING', 'mine'] })
  })

  test('with AWSCURRENT among its labels demotes the current version as well', async () => {
    const { put, labels } = await setUpWithSecret()
    await put(2, ['AWSCURRENT', 'mine'])
    expect(await labels()).toEqual({ [id(1)]: ['AWSPREVIOUS'], [id(2)]: ['AWSCURRENT', 'mine'] })
  })

  test('gives the first version AWSCURRENT whatever labels are asked for', async () => {
    const { secrets } = await setUp()
    await secrets.createSecret({ Name: 'empty' })
    await secrets.putSecretValue({
      SecretId: 'empty',
      ClientRequestToken: id(1),
      SecretString: 'x',
      VersionStages: ['AWSPENDING'],
    })
    expect(await labels(secrets, 'empty')).toEqual({ [id(1)]: ['AWSCURRENT', 'AWSPENDING'] })
  })

  test('takes a label from the version that holds it without complaint', async () => {
    const { put, labels } = await setUpWithSecret()
    await put(2, ['AWSPENDING'])
    await put(3, ['AWSPENDING'])
    expect(await labels()).toEqual({ [id(1)]: ['AWSCURRENT'], [id(3)]: ['AWSPENDING'] })
  })

  test('without labels takes AWSPENDING off the version it demotes', async () => {
    const { put, move, labels } = await setUpWithSecret()
    await put(2, ['AWSPENDING'])
    await move('AWSCURRENT', 2, 1)
    expect(await labels()).toEqual({
      [id(1)]: ['AWSPREVIOUS'],
      [id(2)]: ['AWSCURRENT', 'AWSPENDING'],
    })
    await put(3)
    expect(await labels()).toEqual({ [id(2)]: ['AWSPREVIOUS'], [id(3)]: ['AWSCURRENT'] })
  })

  test('with labels leaves AWSPENDING where it is, if that is not asked for', async () => {
    const { put, move, labels } = await setUpWithSecret()
    await put(2, ['AWSPENDING'])
    await move('AWSCURRENT', 2, 1)
    await put(3, ['mine'])
    expect(await labels()).toMatchObject({ [id(2)]: ['AWSCURRENT', 'AWSPENDING'] })
    await put(4, ['AWSCURRENT'])
    expect(await labels()).toMatchObject({ [id(2)]: ['AWSPENDING', 'AWSPREVIOUS'] })
  })

  test('leaves AWSPENDING on a version that it does not demote', async () => {
    const { put, labels } = await setUpWithSecret()
    await put(2, ['AWSPENDING'])
    await put(3)
    expect(await labels()).toEqual({
      [id(1)]: ['AWSPREVIOUS'],
      [id(2)]: ['AWSPENDING'],
      [id(3)]: ['AWSCURRENT'],
    })
  })

  test('changes nothing if token and value are those of an existing version', async () => {
    const { put, labels } = await setUpWithSecret()
    await put(2)
    await put(3)
    expect(await put(2)).toMatchObject({ VersionId: id(2), VersionStages: ['AWSPREVIOUS'] })
    expect(await labels()).toEqual({ [id(2)]: ['AWSPREVIOUS'], [id(3)]: ['AWSCURRENT'] })
  })

  test.each([
    ['AWSCURRENT', undefined],
    ['AWSPENDING', ['AWSPENDING']],
  ])('refuses other content under a token in use, on a version under %s', async (_, stages) => {
    const { secrets, put, get } = await setUpWithSecret()
    await put(2, stages)
    const other = secrets.putSecretValue({
      SecretId,
      ClientRequestToken: id(2),
      SecretString: 'other content',
      ...(stages ? { VersionStages: stages } : {}),
    })
    await expect(other).rejects.toMatchObject({
      name: 'ResourceExistsException',
      message: expect.stringMatching(
        /^You can't use ClientRequestToken 0{8}-0000-4000-8000-0{11}2 because that value is already in use/,
      ),
    })
    expect(await get({ VersionId: id(2) })).toMatchObject({ SecretString: 'value 2' })
  })

  test('keeps binary values byte for byte, apart from strings of the same bytes', async () => {
    const { secrets, get } = await setUpWithSecret()
    const SecretBinary = new Uint8Array([0, 255, 10, 128])
    const request = { SecretId, ClientRequestToken: id(2), SecretBinary }
    await secrets.putSecretValue(request)
    await secrets.putSecretValue(request)
    const value = await get()
    expect(value.SecretBinary).toEqual(SecretBinary)
    expect(value).not.toHaveProperty('SecretString')
  })

  test.each([
    ['both kinds of value', { SecretString: 'x', SecretBinary: new Uint8Array([1]) }, 'Parameter'],
    ['no value', {}, 'Request'],
    ['an empty value', { SecretString: '' }, 'Request'],
  ])('refuses %s', async (_, value, kind) => {
    const { secrets } = await setUpWithSecret()
    await expect(secrets.putSecretValue({ SecretId, ...value })).rejects.toMatchObject({
      name: `Invalid${kind}Exception`,
    })
  })

  test('takes 65,536 bytes and refuses one more, without quoting them', async () => {
    const { secrets } = await setUpWithSecret()
    // Two bytes a character: what is limited is bytes.
    await secrets.putSecretValue({ SecretId, SecretString: 'é'.repeat(32_768) })
    await secrets.putSecretValue({ SecretId, SecretBinary: new Uint8Array(65_536).fill(1) })
    for (const value of [
      { SecretString: `${'é'.repeat(32_768)}x` },
      { SecretBinary: new Uint8Array(65_537).fill(1) },
    ]) {
      await expect(secrets.putSecretValue({ SecretId, ...value })).rejects.toMatchObject({
        name: 'ValidationException',
        message: expect.not.stringContaining('éé'),
      })
    }
  })

  test.each([31, 65])('refuses a token of %i characters', async (length) => {
    const { secrets } = await setUpWithSecret()
    await expect(
      secrets.putSecretValue({
        SecretId,
        SecretString: 'x',
        ClientRequestToken: 'x'.repeat(length),
      }),
    ).rejects.toMatchObject({ name: 'ValidationException' })
  })

  test.each(['CreateSecret', 'PutSecretValue', 'UpdateSecret'])(
    'and its like need a token: a raw %s without it is InvalidRequestException',
    async (operation) => {
      const { raw } = await setUpWithSecret()
      const answer = await raw(`secretsmanager.${operation}`, {
        Name: 'new',
        SecretId,
        SecretString: 'x',
      })
      expect(answer.status).toBe(400)
      expect(await answer.json()).toEqual({
        __type: 'InvalidRequestException',
        Message: 'You must provide a ClientRequestToken value. We recommend a UUID-type value.',
      })
    },
  )

  test('allows 20 labels over all versions and refuses the 21st', async () => {
    const { put } = await setUpWithSecret()
    await put(
      2,
      Array.from({ length: 19 }, (_, n) => `label-${n}`),
    )
    await expect(put(3, ['one-more'])).rejects.toMatchObject({ name: 'LimitExceededException' })
    await put(4, ['label-0'])
  })

  test('refuses a label of more than 256 characters', async () => {
    const { put } = await setUpWithSecret()
    await put(2, ['x'.repeat(256)])
    await expect(put(3, ['x'.repeat(257)])).rejects.toMatchObject({ name: 'ValidationException' })
  })
})

describe('the quota of 100 versions', () => {
  /** Versions 1 to 100. Raw requests, as a client's own work would take most of the test's time. */
  async function setUpFull(options: Parameters<typeof setUp>[0], VersionStages?: string[]) {
    const world = await setUpWithSecret(options)
    for (let n = 2; n <= 100; n += 1) {
      await world.raw('secretsmanager.PutSecretValue', {
        SecretId,
        ClientRequestToken: id(n),
        SecretString: `value ${n}`,
        VersionStages: n === 2 ? VersionStages : undefined,
      })
    }
    return world
  }

  test('refuses the 101st version within 24 hours, and takes it afterwards', async () => {
    const { put, get, wait } = await setUpFull({ versionQuota: 'enforced' })
    wait(86_399)
    await expect(put(101)).rejects.toMatchObject({ name: 'LimitExceededException' })
    expect(await get()).toMatchObject({ VersionId: id(100) })
    // A repeated put makes no version.
    expect(await put(100)).toMatchObject({ VersionId: id(100) })
    wait(1)
    await put(101)
    await expect(get({ VersionId: id(1) })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
    expect(await get({ VersionId: id(2) })).toMatchObject({ SecretString: 'value 2' })
  })

  test('can instead purge the oldest unlabelled version, however young', async () => {
    const { put, get, labels } = await setUpFull({ versionQuota: 'purging' })
    await put(101)
    await expect(get({ VersionId: id(1) })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
    expect(await get({ VersionId: id(2) })).toMatchObject({ SecretString: 'value 2' })
    expect(await labels()).toEqual({ [id(100)]: ['AWSPREVIOUS'], [id(101)]: ['AWSCURRENT'] })
  })

  test('keeps labelled versions, however old', async () => {
    const { put, get, wait } = await setUpFull({ versionWindowSeconds: 60 }, ['keep'])
    wait(60)
    await put(101)
    await put(102)
    expect(await get({ VersionStage: 'keep' })).toMatchObject({ VersionId: id(2) })
    await expect(get({ VersionId: id(3) })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })
})

describe('UpdateSecret', () => {
  test('with a value writes a new current version', async () => {
    const { secrets, labels } = await setUpWithSecret()
    const updated = await secrets.updateSecret({
      SecretId,
      ClientRequestToken: id(2),
      SecretString: 'value 2',
    })
    expect(updated.VersionId).toBe(id(2))
    expect(await labels()).toEqual({ [id(1)]: ['AWSPREVIOUS'], [id(2)]: ['AWSCURRENT'] })
  })

  test('without a value changes the description and key only', async () => {
    const { secrets, wait } = await setUpWithSecret()
    wait(60)
    const updated = await secrets.updateSecret({
      SecretId,
      Description: 'new',
      KmsKeyId: 'alias/mine',
    })
    expect(updated).not.toHaveProperty('VersionId')
    expect(await secrets.describeSecret({ SecretId })).toMatchObject({
      Description: 'new',
      KmsKeyId: 'alias/mine',
      LastChangedDate: new Date('2026-01-01T00:01:00Z'),
      VersionIdsToStages: { [id(1)]: ['AWSCURRENT'] },
    })
  })

  test('refuses other content under a token in use', async () => {
    const { secrets } = await setUpWithSecret()
    await expect(
      secrets.updateSecret({ SecretId, ClientRequestToken: id(1), SecretString: 'other' }),
    ).rejects.toMatchObject({ name: 'ResourceExistsException' })
  })
})

describe('UpdateSecretVersionStage', () => {
  test('moves AWSCURRENT if the caller names its holder; AWSPREVIOUS follows, AWSPENDING stays', async () => {
    const { put, move, labels } = await setUpWithSecret()
    await put(2, ['AWSPENDING'])
    await move('AWSCURRENT', 2, 1)
    expect(await labels()).toEqual({
      [id(1)]: ['AWSPREVIOUS'],
      [id(2)]: ['AWSCURRENT', 'AWSPENDING'],
    })
  })

  test('takes AWSPREVIOUS from the version that had it before', async () => {
    const { put, move, labels } = await setUpWithSecret()
    await put(2)
    await put(3, ['AWSPENDING'])
    await move('AWSCURRENT', 3, 2)
    expect(await labels()).toEqual({
      [id(2)]: ['AWSPREVIOUS'],
      [id(3)]: ['AWSCURRENT', 'AWSPENDING'],
    })
  })

  test('swaps the two labels when it goes back to the previous version', async () => {
    const { put, move, labels } = await setUpWithSecret()
    await put(2)
    await move('AWSCURRENT', 1, 2)
    expect(await labels()).toEqual({ [id(1)]: ['AWSCURRENT'], [id(2)]: ['AWSPREVIOUS'] })
  })

  test.each([
    ['does not name the holder', undefined],
    ['names a version that is not the holder', 2],
    ['names a version that does not exist', 9],
  ])('fails and changes nothing if the caller %s', async (_, from) => {
    const { put, move, labels } = await setUpWithSecret()
    await put(2, ['AWSPENDING'])
    await put(3)
    const before = await labels()
    await expect(move('AWSCURRENT', 2, from)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringContaining(id(3)),
    })
    expect(await labels()).toEqual(before)
  })

  test('guards labels of our own in the same way', async () => {
    const { put, move } = await setUpWithSecret()
    await put(2, ['mine'])
    await expect(move('mine', 1)).rejects.toMatchObject({ name: 'InvalidParameterException' })
    await move('mine', 1, 2)
  })

  test('attaches a label that no version has', async () => {
    const { move, labels } = await setUpWithSecret()
    await move('mine', 1)
    expect(await labels()).toEqual({ [id(1)]: ['AWSCURRENT', 'mine'] })
  })

  test('changes nothing if the label is already there', async () => {
    const { put, move, labels } = await setUpWithSecret()
    await put(2)
    await move('AWSCURRENT', 2)
    expect(await labels()).toEqual({ [id(1)]: ['AWSPREVIOUS'], [id(2)]: ['AWSCURRENT'] })
  })

  test('removes a label, but never AWSCURRENT', async () => {
    const { put, move, labels } = await setUpWithSecret()
    await put(2, ['AWSPENDING'])
    await move('AWSPENDING', undefined, 2)
    expect(await labels()).toEqual({ [id(1)]: ['AWSCURRENT'] })
    await expect(move('AWSCURRENT', undefined, 1)).rejects.toMatchObject({
      name: 'InvalidParameterException',
    })
  })

  test('refuses a target that does not exist', async () => {
    const { move } = await setUpWithSecret()
    await expect(move('AWSCURRENT', 9, 1)).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('lets one of two racing callers win', async () => {
    const { put, move } = await setUpWithSecret()
    await put(2, ['AWSPENDING'])
    await put(3, ['other'])
    const outcomes = await Promise.allSettled([move('AWSCURRENT', 2, 1), move('AWSCURRENT', 3, 1)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })
})

describe('GetSecretValue', () => {
  test('reads by label and by id, and a deprecated version by id', async () => {
    const { put, get } = await setUpWithSecret()
    await put(2)
    await put(3)
    expect(await get({ VersionStage: 'AWSPREVIOUS' })).toMatchObject({ SecretString: 'value 2' })
    const deprecated = await get({ VersionId: id(1) })
    expect(deprecated.SecretString).toBe('value 1')
    expect(deprecated).not.toHaveProperty('VersionStages')
  })

  test('refuses an id and a label that do not belong together', async () => {
    const { put, get } = await setUpWithSecret()
    await put(2)
    expect(await get({ VersionId: id(2), VersionStage: 'AWSCURRENT' })).toMatchObject({
      SecretString: 'value 2',
    })
    await expect(get({ VersionId: id(1), VersionStage: 'AWSCURRENT' })).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: 'You provided a VersionStage that is not associated to the provided VersionId.',
    })
  })

  test.each([
    [{ VersionStage: 'AWSPENDING' }, 'staging label: AWSPENDING'],
    [{ VersionId: id(9) }, `VersionId: ${id(9)}`],
  ])('does not find %j', async (by, named) => {
    const { get } = await setUpWithSecret()
    await expect(get(by)).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: `Secrets Manager can't find the specified secret value for ${named}`,
    })
  })

  test('leaves the day of the access, which is absent before', async () => {
    const { secrets, get, wait } = await setUpWithSecret()
    expect(await secrets.describeSecret({ SecretId })).not.toHaveProperty('LastAccessedDate')
    wait(3600)
    await get()
    expect(await secrets.describeSecret({ SecretId })).toMatchObject({
      LastAccessedDate: new Date('2026-01-01T00:00:00Z'),
      LastChangedDate: new Date('2026-01-01T00:00:00Z'),
    })
  })

  test('lags behind writes by the time that is asked for', async () => {
    const { put, get, wait } = await setUpWithSecret({ consistencyLagMs: 5000 })
    wait(10)
    await put(2)
    expect(await get()).toMatchObject({ SecretString: 'value 1' })
    wait(4)
    expect(await get()).toMatchObject({ SecretString: 'value 1' })
    wait(2)
    expect(await get()).toMatchObject({ SecretString: 'value 2' })
  })
})

describe('BatchGetSecretValue', () => {
  async function setUpThree() {
    const world = await setUp()
    for (const Name of ['a/one', 'a/two', 'b/three']) {
      await world.secrets.createSecret({ Name, SecretString: `value of ${Name}` })
    }
    return world
  }

  test('gives values for the ids it can, and an error for each other', async () => {
    const { secrets } = await setUpThree()
    await secrets.deleteSecret({ SecretId: 'a/two' })
    const batch = await secrets.batchGetSecretValue({
      SecretIdList: ['a/one', 'nothing', 'a/two'],
    })
    expect(batch.SecretValues).toMatchObject([
      { Name: 'a/one', SecretString: 'value of a/one', VersionStages: ['AWSCURRENT'] },
    ])
    expect(batch.Errors).toMatchObject([
      { SecretId: 'nothing', ErrorCode: 'ResourceNotFoundException' },
      { SecretId: 'a/two', ErrorCode: 'InvalidRequestException' },
    ])
  })

  test('gives what a filter matches, page by page', async () => {
    const { secrets } = await setUpThree()
    const request = { Filters: [{ Key: 'name' as const, Values: ['a/'] }], MaxResults: 1 }
    const first = await secrets.batchGetSecretValue(request)
    expect(first.SecretValues).toMatchObject([{ Name: 'a/one' }])
    const second = await secrets.batchGetSecretValue({ ...request, NextToken: first.NextToken })
    expect(second.SecretValues).toMatchObject([{ Name: 'a/two' }])
    expect(second).not.toHaveProperty('NextToken')
  })

  test.each([
    ['neither ids nor filters', {}],
    ['both', { SecretIdList: ['a'], Filters: [{ Key: 'name' as const, Values: ['a'] }] }],
    ['a page size for ids', { SecretIdList: ['a/one'], MaxResults: 1 }],
  ])('refuses %s', async (_, request) => {
    const { secrets } = await setUpThree()
    await expect(secrets.batchGetSecretValue(request)).rejects.toMatchObject({
      name: 'InvalidParameterException',
    })
  })
})
