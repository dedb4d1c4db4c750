import { describe, expect, test } from 'vitest'
import type { Fault } from '../../../lib/local/aws/endpoint.ts'
import { id, labels, setUp } from './setup.ts'

async function setUpSecret() {
  const world = await setUp()
  const { secrets } = world
  await secrets.createSecret({ Name: 'a', ClientRequestToken: id(1), SecretString: 'value 1' })
  return {
    ...world,
    put: (n: number) =>
      secrets.putSecretValue({
        SecretId: 'a',
        ClientRequestToken: id(n),
        SecretString: `value ${n}`,
      }),
    current: async () => (await secrets.getSecretValue({ SecretId: 'a' })).VersionId,
    labels: () => labels(secrets, 'a'),
  }
}

describe('an injected fault', () => {
  test.each([
    ['throttle', 'ThrottlingException', 400],
    ['internal-error', 'InternalServiceError', 500],
    ['limit-exceeded', 'LimitExceededException', 400],
    ['access-denied', 'AccessDeniedException', 400],
  ] as const)('%s is %s with status %i and no effect', async (kind, name, httpStatusCode) => {
    const { endpoint, put, current } = await setUpSecret()
    endpoint.inject({ operation: 'PutSecretValue', kind })
    await expect(put(2)).rejects.toMatchObject({ name, $metadata: { httpStatusCode } })
    expect(await current()).toBe(id(1))
    await put(2)
    expect(await current()).toBe(id(2))
  })

  test('lost-ack drops the connection after the effect', async () => {
    const { endpoint, put, current } = await setUpSecret()
    endpoint.inject({ operation: 'PutSecretValue', kind: 'lost-ack' })
    await expect(put(2)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await current()).toBe(id(2))
  })

  test('drop-before drops the connection without effect', async () => {
    const { endpoint, put, current } = await setUpSecret()
    endpoint.inject({ operation: 'PutSecretValue', kind: 'drop-before' })
    await expect(put(2)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await current()).toBe(id(1))
  })

  test('delay holds a call back while later ones pass', async () => {
    const { endpoint, put, labels } = await setUpSecret()
    endpoint.inject({ operation: 'PutSecretValue', kind: 'delay', milliseconds: 50 })
    const order: number[] = []
    const delayed = put(2).then(() => order.push(2))
    await put(3).then(() => order.push(3))
    await delayed
    expect(order).toEqual([3, 2])
    expect(await labels()).toEqual({ [id(3)]: ['AWSPREVIOUS'], [id(2)]: ['AWSCURRENT'] })
  })

  test('delay does not hold up the end of the endpoint', async () => {
    const { endpoint, put } = await setUpSecret()
    endpoint.inject({ operation: 'PutSecretValue', kind: 'delay', milliseconds: 3_600_000 })
    const delayed = put(2)
    const outcome = expect(delayed).rejects.toThrow()
    while (endpoint.calls().PutSecretValue !== 1) await new Promise(setImmediate)
    await endpoint.close()
    await outcome
  })

  test('stale-read answers as before the last writes, by as many as asked', async () => {
    const { endpoint, put, current } = await setUpSecret()
    await put(2)
    await put(3)
    endpoint.inject({ operation: 'GetSecretValue', kind: 'stale-read' })
    endpoint.inject({ operation: 'GetSecretValue', kind: 'stale-read', writes: 2 })
    expect([await current(), await current(), await current()]).toEqual([id(2), id(1), id(3)])
  })

  test('stale-read does not find what has only just been made', async () => {
    const { secrets, endpoint } = await setUp()
    await secrets.createSecret({ Name: 'a', SecretString: 'x' })
    endpoint.inject({ operation: 'GetSecretValue', kind: 'stale-read' })
    await expect(secrets.getSecretValue({ SecretId: 'a' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('strikes as often as asked, after as many calls as asked', async () => {
    const { endpoint, put } = await setUpSecret()
    endpoint.inject({ operation: 'PutSecretValue', kind: 'throttle', skip: 1, times: 2 })
    const outcomes = []
    for (const n of [2, 3, 4, 5])
      outcomes.push(
        await put(n).then(
          () => 'ok',
          ({ name }) => name,
        ),
      )
    expect(outcomes).toEqual(['ok', 'ThrottlingException', 'ThrottlingException', 'ok'])
  })

  test('is forgotten when faults are cleared', async () => {
    const { endpoint, put } = await setUpSecret()
    endpoint.inject({ operation: 'PutSecretValue', kind: 'throttle', times: 9 })
    endpoint.clearFaults()
    await put(2)
  })

  test.each([
    ['secretsmanager', 'GetSecretValue', 'InternalServiceError'],
    ['AmazonSSM', 'GetParameter', 'InternalServerError'],
    ['AWSEvents', 'PutEvents', 'InternalException'],
  ])('of kind internal-error has the name that %s declares', async (service, operation, name) => {
    const { endpoint, raw } = await setUp()
    endpoint.inject({ operation, kind: 'internal-error' })
    const answer = await raw(`${service}.${operation}`, {})
    expect(answer.status).toBe(500)
    expect(await answer.json()).toMatchObject({ __type: name })
  })
})

describe('over HTTP', () => {
  const post = (url: string, fault: unknown) =>
    fetch(`${url}/_local/faults`, { method: 'POST', body: JSON.stringify(fault) })

  test('faults are armed by POST and cleared by DELETE', async () => {
    const { endpoint, put } = await setUpSecret()
    const fault: Fault = { operation: 'PutSecretValue', kind: 'throttle', times: 2 }
    expect((await post(endpoint.url, fault)).status).toBe(204)
    await expect(put(2)).rejects.toMatchObject({ name: 'ThrottlingException' })
    await fetch(`${endpoint.url}/_local/faults`, { method: 'DELETE' })
    await put(2)
  })

  test.each([
    ['an unknown kind', { operation: 'PutSecretValue', kind: 'fire' }],
    ['no operation', { kind: 'throttle' }],
    ['a delay without length', { operation: 'PutSecretValue', kind: 'delay' }],
  ])('%s is refused', async (_, fault) => {
    const { endpoint } = await setUp()
    expect((await post(endpoint.url, fault)).status).toBe(400)
  })

  test('events and calls can be read', async () => {
    const { endpoint, put } = await setUpSecret()
    await put(2)
    const get = async (path: string) => (await fetch(`${endpoint.url}/_local/${path}`)).json()
    expect(await get('events')).toEqual(endpoint.events())
    expect(await get('calls')).toEqual({ CreateSecret: 1, PutSecretValue: 1 })
  })
})
