import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { AwsEndpointOptions, RotationEvent } from '../../../lib/local/aws/endpoint.ts'
import { id, labels, setUp, start } from './setup.ts'

const SecretId = 'token-rotator/ftd-hq/access-token'
const RotationLambdaARN = 'arn:aws:lambda:us-east-1:123456789012:function:rotator'
const allSteps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret']

let events: RotationEvent[]
beforeEach(() => {
  events = []
})

type World = Awaited<ReturnType<typeof setUp>>

/** A secret with one value, and a function that does at each step what it is told. */
async function world(
  respond: (event: RotationEvent, world: World) => Promise<unknown> = template,
  options: AwsEndpointOptions = {},
) {
  const made = await setUp({ rotationRetryMs: 0, ...options })
  await made.secrets.createSecret({
    Name: SecretId,
    ClientRequestToken: id(1),
    SecretString: 'value 1',
  })
  made.endpoint.provideFunction(RotationLambdaARN, async (event) => {
    events.push(event)
    await respond(event, made)
  })
  const rotate = async (n: number, more: object = {}) => {
    const input = { SecretId, RotationLambdaARN, ClientRequestToken: id(n), ...more }
    const answer = await made.secrets.rotateSecret(input)
    await made.endpoint.rotationsSettled()
    return answer
  }
  return { ...made, rotate, described: () => made.secrets.describeSecret({ SecretId }) }
}

/** What AWS's own template does. */
async function template({ Step, ClientRequestToken }: RotationEvent, { secrets }: World) {
  if (Step === 'createSecret') {
    const SecretString = `value by ${ClientRequestToken}`
    const VersionStages = ['AWSPENDING']
    await secrets.putSecretValue({ SecretId, ClientRequestToken, SecretString, VersionStages })
  }
  if (Step === 'finishSecret') {
    const stages = (await labels(secrets, SecretId)) ?? {}
    const RemoveFromVersionId = Object.keys(stages).find((one) =>
      stages[one]?.includes('AWSCURRENT'),
    )
    await secrets.updateSecretVersionStage({
      SecretId,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: ClientRequestToken,
      ...(RemoveFromVersionId === undefined ? {} : { RemoveFromVersionId }),
    })
  }
}

const steps = () => events.map(({ Step }) => Step)
const failing = async () => {
  throw new Error('no')
}

describe('RotateSecret', () => {
  test('invokes the function with four steps, and takes AWSPENDING off when the version is current', async () => {
    const { rotate, secrets, described } = await world()
    const answer = await rotate(2)
    expect(answer).toMatchObject({ Name: SecretId, VersionId: id(2) })
    expect(steps()).toEqual(allSteps)
    expect(events[0]).toEqual({
      Step: 'createSecret',
      SecretId: answer.ARN,
      ClientRequestToken: id(2),
      RotationToken: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(await labels(secrets, SecretId)).toEqual({
      [id(1)]: ['AWSPREVIOUS'],
      [id(2)]: ['AWSCURRENT'],
    })
    expect(await described()).toMatchObject({
      RotationEnabled: true,
      RotationLambdaARN,
      LastRotatedDate: start,
    })
  })

  test('answers before the function is invoked, and first registers a version without a value', async () => {
    let seen: unknown
    let answered = () => {}
    const answer = new Promise<void>((resolve) => {
      answered = resolve
    })
    const { secrets, endpoint } = await world(async ({ Step }, { secrets }) => {
      if (Step !== 'createSecret') return
      await answer
      expect(await labels(secrets, SecretId)).toMatchObject({ [id(2)]: ['AWSPENDING'] })
      seen = await secrets
        .getSecretValue({ SecretId, VersionId: id(2), VersionStage: 'AWSPENDING' })
        .catch((error: Error) => error.name)
    })
    await secrets.rotateSecret({ SecretId, RotationLambdaARN, ClientRequestToken: id(2) })
    answered()
    await endpoint.rotationsSettled()
    expect(seen).toBe('ResourceNotFoundException')
  })

  test('tries a rotation whose step fails from its first step again, three times in all', async () => {
    const { rotate, described } = await world(async (event, made) => {
      if (event.Step === 'testSecret') throw new Error('no')
      await template(event, made)
    })
    await rotate(2)
    expect(steps()).toEqual([1, 2, 3].flatMap(() => allSteps.slice(0, 3)))
    expect(await described()).not.toHaveProperty('LastRotatedDate')
  })

  test('counts no rotation whose version is not current in the end', async () => {
    const { rotate, described } = await world(async () => {})
    await rotate(2)
    expect(await described()).not.toHaveProperty('LastRotatedDate')
  })

  test('is refused while a pending version is not current, and tries that one again', async () => {
    const { rotate, endpoint, secrets } = await world(failing)
    await rotate(2)
    endpoint.provideFunction(RotationLambdaARN, (event) => template(event, { secrets } as World))
    await expect(rotate(3)).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: "A previous rotation isn't complete. That rotation will be reattempted.",
    })
    await endpoint.rotationsSettled()
    expect(await labels(secrets, SecretId)).toMatchObject({ [id(2)]: ['AWSCURRENT'] })
    expect(await rotate(3)).toMatchObject({ VersionId: id(3) })
  })

  test('is not refused while AWSPENDING is on the current version', async () => {
    const { rotate, secrets } = await world()
    await secrets.putSecretValue({
      SecretId,
      ClientRequestToken: id(2),
      SecretString: 'value 2',
      VersionStages: ['AWSPENDING', 'AWSCURRENT'],
    })
    await rotate(3)
    expect(await labels(secrets, SecretId)).toMatchObject({ [id(3)]: ['AWSCURRENT'] })
  })

  test('repeated with its token changes nothing', async () => {
    const { rotate } = await world()
    await rotate(2)
    expect(await rotate(2)).toMatchObject({ VersionId: id(2) })
    expect(steps()).toEqual(allSteps)
  })

  test('that is not immediate runs testSecret alone, on a copy that is gone afterwards', async () => {
    let tested: string | undefined
    const { rotate, secrets, described } = await world(async ({ ClientRequestToken }, made) => {
      const version = { SecretId, VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' }
      tested = (await made.secrets.getSecretValue(version)).SecretString
    })
    await rotate(2, { RotateImmediately: false })
    expect(steps()).toEqual(['testSecret'])
    expect(tested).toBe('value 1')
    const all = await secrets.listSecretVersionIds({ SecretId, IncludeDeprecated: true })
    expect(all.Versions).toMatchObject([{ VersionId: id(1), VersionStages: ['AWSCURRENT'] }])
    expect(await described()).toMatchObject({ RotationEnabled: true })
    expect(await described()).not.toHaveProperty('LastRotatedDate')
  })

  test.each([
    [
      'a function that it may not invoke',
      { RotationLambdaARN: `${RotationLambdaARN}-2` },
      'AccessDeniedException',
    ],
    ['no function at all', { RotationLambdaARN: undefined }, 'InvalidRequestException'],
    [
      'less than four hours',
      { RotationRules: { ScheduleExpression: 'rate(3 hours)' } },
      'InvalidParameterException',
    ],
    ...[
      'cron(0 * * * ? *)',
      'cron(0 8/2 * * ? *)',
      'cron(0 1,20,23 * * ? *)',
      'cron(0 8-9 * * ? *)',
    ].map((ScheduleExpression): [string, object, string] => [
      `less than four hours (${ScheduleExpression})`,
      { RotationRules: { ScheduleExpression } },
      'InvalidParameterException',
    ]),
    ...['cron(30 8 * * ? *)', 'cron(0 8 * * ? 2027)', 'cron(0 8 * * ?)'].map(
      (ScheduleExpression): [string, object, string] => [
        `a time that is no full hour of every year (${ScheduleExpression})`,
        { RotationRules: { ScheduleExpression } },
        'InvalidParameterException',
      ],
    ),
    [
      'two schedules',
      { RotationRules: { ScheduleExpression: 'rate(3 days)', AutomaticallyAfterDays: 3 } },
      'InvalidParameterException',
    ],
    ['no days', { RotationRules: { AutomaticallyAfterDays: 0 } }, 'ValidationException'],
    ['a short token', { ClientRequestToken: 'short' }, 'ValidationException'],
  ])('refuses %s', async (_what, more, name) => {
    const { rotate, described } = await world()
    await expect(rotate(2, more)).rejects.toMatchObject({ name })
    expect(await described()).not.toHaveProperty('RotationEnabled')
  })

  test.each([
    'cron(0 4/12 * * ? *)',
    'cron(0 16 1,15 * ? *)',
    'cron(0 0,8,16 ? * SUN *)',
    'rate(4 hours)',
  ])('takes %s', async (ScheduleExpression) => {
    const { rotate, described } = await world()
    await rotate(2, { RotationRules: { ScheduleExpression } })
    expect(await described()).toMatchObject({ RotationRules: { ScheduleExpression } })
  })

  test('refuses a secret that awaits deletion, and one that is not there', async () => {
    const { rotate, secrets } = await world()
    await expect(rotate(2, { SecretId: 'nobody' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
    await secrets.deleteSecret({ SecretId })
    await expect(rotate(2)).rejects.toMatchObject({ name: 'InvalidRequestException' })
  })

  test('without a token on the wire is an invalid parameter', async () => {
    const { raw } = await world()
    const response = await raw('secretsmanager.RotateSecret', { SecretId, RotationLambdaARN })
    expect(await response.json()).toMatchObject({ __type: 'InvalidParameterException' })
  })
})

describe('the next rotation', () => {
  test.each([
    [{ AutomaticallyAfterDays: 30 }, '2026-01-31T00:00:00Z'],
    [{ ScheduleExpression: 'rate(10 days)', Duration: '3h' }, '2026-01-11T00:00:00Z'],
    [{ ScheduleExpression: 'rate(4 hours)' }, '2026-01-01T04:00:00Z'],
  ])('is due by %o, counted from the last one', async (RotationRules, date) => {
    const { rotate, described } = await world()
    await rotate(2, { RotationRules })
    expect(await described()).toMatchObject({ RotationRules, NextRotationDate: new Date(date) })
  })

  test('is put off by a value that is written by hand', async () => {
    const { rotate, described, secrets, wait } = await world()
    await rotate(2, { RotationRules: { AutomaticallyAfterDays: 30 } })
    wait(86_400)
    await secrets.putSecretValue({ SecretId, SecretString: 'by hand' })
    expect(await described()).toMatchObject({
      LastRotatedDate: start,
      NextRotationDate: new Date('2026-02-01T00:00:00Z'),
    })
  })
})

describe('CancelRotateSecret', () => {
  test('ends a rotation where it stands, and leaves its labels', async () => {
    const { rotate, secrets, described } = await world(async (event, made) => {
      await template(event, made)
      await made.secrets.cancelRotateSecret({ SecretId })
    })
    await rotate(2, { RotationRules: { AutomaticallyAfterDays: 30 } })
    expect(steps()).toEqual(['createSecret'])
    expect(await labels(secrets, SecretId)).toMatchObject({ [id(2)]: ['AWSPENDING'] })
    expect(await described()).toMatchObject({ RotationEnabled: false, RotationLambdaARN })
    expect(await described()).not.toHaveProperty('NextRotationDate')
    expect(await secrets.cancelRotateSecret({ SecretId })).toMatchObject({ VersionId: id(2) })
  })

  test('of a secret that was never rotated is refused', async () => {
    const { secrets } = await world()
    await expect(secrets.cancelRotateSecret({ SecretId })).rejects.toMatchObject({
      name: 'InvalidRequestException',
    })
  })
})

test('what is configured survives a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'token-rotator-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const first = await world(template, { dataDir: folder })
  await first.rotate(2, { RotationRules: { AutomaticallyAfterDays: 30 } })
  await first.secrets.cancelRotateSecret({ SecretId })
  const before = await first.described()
  await first.endpoint.close()
  const { secrets } = await setUp({ dataDir: folder })
  const { $metadata: _, ...after } = await secrets.describeSecret({ SecretId })
  expect(before).toMatchObject(after)
  expect(after).toMatchObject({ RotationEnabled: false, LastRotatedDate: start })
})
