import { EventBridge } from '@aws-sdk/client-eventbridge'
import { describe, expect, test } from 'vitest'
import { connect, id, setUp } from './setup.ts'

const entry = { Source: 'token-rotator', DetailType: 'Token Rotated', Detail: '{"connection":"a"}' }

describe('PutEvents', () => {
  test('stores events as a target would receive them', async () => {
    const { endpoint } = await setUp()
    const eventBus = connect(endpoint, EventBridge)
    const answer = await eventBus.putEvents({
      Entries: [
        {
          ...entry,
          Resources: ['arn:x'],
          Time: new Date('2026-02-03T04:05:06Z'),
          EventBusName: 'b',
        },
      ],
    })
    expect(answer.FailedEntryCount).toBe(0)
    expect(endpoint.events()).toEqual([
      {
        version: '0',
        id: answer.Entries?.[0]?.EventId,
        account: '123456789012',
        region: 'us-east-1',
        source: 'token-rotator',
        'detail-type': 'Token Rotated',
        time: '2026-02-03T04:05:06Z',
        resources: ['arn:x'],
        detail: { connection: 'a' },
        eventBusName: 'b',
      },
    ])
  })

  test.each([
    ['no source', { ...entry, Source: undefined }, 'InvalidArgument'],
    ['no detail type', { ...entry, DetailType: undefined }, 'InvalidArgument'],
    ['no detail', { ...entry, Detail: undefined }, 'InvalidArgument'],
    ['a detail that is not JSON', { ...entry, Detail: '{' }, 'MalformedDetail'],
    ['a detail that is not an object', { ...entry, Detail: '[]' }, 'MalformedDetail'],
    ["AWS's own source", { ...entry, Source: 'aws.x' }, 'NotAuthorizedForSourceException'],
  ])('counts an entry with %s as failed and stores the others', async (_, bad, code) => {
    const { endpoint } = await setUp()
    const eventBus = connect(endpoint, EventBridge)
    const answer = await eventBus.putEvents({ Entries: [bad, entry] })
    expect(answer.FailedEntryCount).toBe(1)
    expect(answer.Entries).toMatchObject([{ ErrorCode: code }, { EventId: expect.any(String) }])
    expect(endpoint.events()).toHaveLength(1)
  })

  test('takes 10 entries of under 1 MB together, and stores none of a request that is over', async () => {
    const { endpoint } = await setUp()
    const eventBus = connect(endpoint, EventBridge)
    const large = { ...entry, Detail: JSON.stringify({ x: 'x'.repeat(524_288) }) }
    for (const Entries of [Array(11).fill(entry), [], [large, large]]) {
      await expect(eventBus.putEvents({ Entries })).rejects.toMatchObject({
        name: 'ValidationException',
      })
    }
    expect(endpoint.events()).toEqual([])
    expect(await eventBus.putEvents({ Entries: Array(10).fill(entry) })).toMatchObject({
      FailedEntryCount: 0,
    })
  })
})

test('the last 1,000 events are kept', async () => {
  const { endpoint, raw } = await setUp()
  for (let n = 0; n <= 100; n += 1) {
    const Entries = Array(10).fill({ ...entry, Detail: JSON.stringify({ n }) })
    await raw('AWSEvents.PutEvents', { Entries })
  }
  const events = endpoint.events()
  expect(events).toHaveLength(1000)
  expect(events[0]?.detail).toEqual({ n: 1 })
  expect(events.at(-1)?.detail).toEqual({ n: 100 })
})

describe('Secrets Manager reports', () => {
  test('each label that comes to a version, except AWSPENDING and AWSPREVIOUS', async () => {
    const { secrets, endpoint } = await setUp()
    const { ARN } = await secrets.createSecret({
      Name: 'a',
      ClientRequestToken: id(1),
      SecretString: 'canary',
    })
    const put = (n: number, VersionStages: string[]) =>
      secrets.putSecretValue({
        SecretId: 'a',
        ClientRequestToken: id(n),
        SecretString: 'canary',
        VersionStages,
      })
    await put(2, ['AWSPENDING'])
    await put(3, ['mine'])
    await secrets.updateSecretVersionStage({
      SecretId: 'a',
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: id(2),
      RemoveFromVersionId: id(1),
    })
    await secrets.updateSecret({ SecretId: 'a', Description: 'metadata is not reported' })
    const events = endpoint.events()
    expect(events.map(({ detail }) => detail)).toEqual([
      { name: 'a', labelUpdated: 'AWSCURRENT', versionId: id(1) },
      { name: 'a', labelUpdated: 'mine', versionId: id(3) },
      { name: 'a', labelUpdated: 'AWSCURRENT', versionId: id(2) },
    ])
    expect(events[0]).toMatchObject({
      source: 'aws.secretsmanager',
      'detail-type': 'Secret Label Updated',
      resources: [ARN],
      time: '2026-01-01T00:00:00Z',
      eventBusName: 'default',
    })
    expect(JSON.stringify(events)).not.toContain('canary')
  })
})
