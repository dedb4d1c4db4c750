import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { describe, expect, test } from 'vitest'
import {
  createTokenSource,
  type TokenSourceOptions,
  TokenUnavailableError,
} from '../../lib/consumer/index.ts'
import { prints } from '../canaries.ts'
import { connect, setUp } from '../local/aws/setup.ts'

const secretId = 'token-rotator/ftd-hq/access-token'

const document = (token: string, more: object = {}) => ({
  schema: 1,
  connection: 'ftd-hq',
  vendor: 'cisco-ftd',
  base_url: 'https://192.0.2.10',
  token_type: 'Bearer',
  access_token: token,
  headers: { Authorization: `Bearer ${token}` },
  issued_at: '2026-01-01T00:00:00.000Z',
  expires_at: '2026-01-01T00:30:00.000Z',
  ...more,
})

/** A workload's token source, and the hands that write its secret. */
async function reader(options: Omit<TokenSourceOptions, 'client' | 'now'> = {}) {
  const { endpoint, secrets, wait } = await setUp()
  let now = new Date('2026-01-01T00:00:00Z')
  await secrets.createSecret({ Name: secretId })
  return {
    source: createTokenSource('ftd-hq', {
      client: connect(endpoint, SecretsManagerClient),
      now: () => now,
      ...options,
    }),
    write: (content: object | string) =>
      secrets.putSecretValue({
        SecretId: secretId,
        SecretString: typeof content === 'string' ? content : JSON.stringify(content),
      }),
    endpoint,
    reads: () => endpoint.calls().GetSecretValue ?? 0,
    advance(seconds: number) {
      now = new Date(now.getTime() + seconds * 1000)
      wait(seconds)
    },
  }
}

/** A vendor that takes these tokens only; keeps what it was sent. */
function vendor(status: number, ...living: string[]) {
  const seen: (string | undefined)[] = []
  return {
    seen,
    call: async ({ headers }: { headers: Readonly<Record<string, string>> }) => {
      seen.push(headers.Authorization)
      const token = headers.Authorization?.replace('Bearer ', '') ?? ''
      return { status: living.includes(token) ? 200 : status }
    },
  }
}

describe('a token', () => {
  test('comes with all that a call needs', async () => {
    const { source, write } = await reader()
    await write(document('one', { headers: { 'X-KSC-Session': 'one' }, kept: 'whatever' }))
    expect(await source.getToken()).toEqual({
      connection: 'ftd-hq',
      vendor: 'cisco-ftd',
      baseUrl: 'https://192.0.2.10',
      headers: { 'X-KSC-Session': 'one' },
      issuedAt: new Date('2026-01-01T00:00:00Z'),
      expiresAt: new Date('2026-01-01T00:30:00Z'),
    })
  })

  test('is read once a minute, however often it is asked for', async () => {
    const { source, write, reads, advance } = await reader()
    await write(document('one'))
    await source.getToken()
    await write(document('two'))
    advance(59.9)
    expect((await source.getToken()).headers).toEqual({ Authorization: 'Bearer one' })
    expect(reads()).toBe(1)
    advance(0.1)
    expect((await source.getToken()).headers).toEqual({ Authorization: 'Bearer two' })
    expect(reads()).toBe(2)
  })

  test('is read each time if it is not to be cached', async () => {
    const { source, write, reads } = await reader({ cacheSeconds: 0 })
    await write(document('one'))
    for (let n = 0; n < 3; n++) await source.getToken()
    expect(reads()).toBe(3)
  })

  test('is not served from memory in its last five seconds', async () => {
    const { source, write, reads, advance } = await reader({ cacheSeconds: 3600 })
    await write(document('one'))
    await source.getToken()
    advance(1794.9)
    await source.getToken()
    expect(reads()).toBe(1)
    advance(0.1)
    await source.getToken()
    expect(reads()).toBe(2)
  })

  test('of a kept-alive session has no end, and is cached like any other', async () => {
    const { source, write, reads, advance } = await reader()
    await write(document('one', { expires_at: null, kept_alive: true }))
    expect(await source.getToken()).toMatchObject({ expiresAt: null })
    await source.getToken()
    expect(reads()).toBe(1)
    advance(60)
    await source.getToken()
    expect(reads()).toBe(2)
  })

  test('is read once for all who ask at the same time', async () => {
    const { source, write, reads } = await reader()
    await write(document('one'))
    const tokens = await Promise.all(Array.from({ length: 20 }, () => source.getToken()))
    expect(new Set(tokens).size).toBe(1)
    expect(reads()).toBe(1)
  })

  test('is read again after a read that failed for all who asked', async () => {
    const { source, write, endpoint } = await reader()
    await write(document('one'))
    endpoint.inject({ operation: 'GetSecretValue', kind: 'access-denied' })
    const asked = await Promise.allSettled([source.getToken(), source.getToken()])
    expect(asked.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await source.getToken()).toMatchObject({ connection: 'ftd-hq' })
  })

  test('is served on from memory while it cannot be read, up to its last five seconds', async () => {
    const { source, write, endpoint, advance } = await reader()
    await write(document('one'))
    await source.getToken()
    advance(61)
    endpoint.inject({ operation: 'GetSecretValue', kind: 'access-denied' })
    expect(await source.getToken()).toMatchObject({ headers: { Authorization: 'Bearer one' } })
    await write(document('two'))
    expect(await source.getToken()).toMatchObject({ headers: { Authorization: 'Bearer two' } })
    advance(30 * 60 - 61 - 5)
    endpoint.inject({ operation: 'GetSecretValue', kind: 'access-denied' })
    await expect(source.getToken()).rejects.toThrow()
  })
})

describe('a call', () => {
  test.each([401, 403])(
    'that is answered %i is made once more with a newer token',
    async (status) => {
      const { source, write, reads } = await reader()
      const { call, seen } = vendor(status, 'two')
      await write(document('one'))
      await source.getToken()
      await write(document('two'))
      expect(await source.withToken(call)).toEqual({ status: 200 })
      expect(seen).toEqual(['Bearer one', 'Bearer two'])
      expect(reads()).toBe(2)
    },
  )

  test('of many at once that are refused costs one more read', async () => {
    const { source, write, reads } = await reader()
    const { call, seen } = vendor(401, 'two')
    await write(document('one'))
    await source.getToken()
    await write(document('two'))
    const answers = await Promise.all(Array.from({ length: 20 }, () => source.withToken(call)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(seen).toHaveLength(40)
    expect(reads()).toBe(2)
  })

  test('is not repeated with the very token that was refused', async () => {
    const { source, write, reads } = await reader()
    const { call, seen } = vendor(401)
    await write(document('one'))
    expect(await source.withToken(call)).toEqual({ status: 401 })
    expect(seen).toEqual(['Bearer one'])
    expect(reads()).toBe(2)
  })

  test('is made twice at most', async () => {
    const { source, write } = await reader()
    const { call, seen } = vendor(401)
    await write(document('one'))
    await source.getToken()
    await write(document('two'))
    expect(await source.withToken(call)).toEqual({ status: 401 })
    expect(seen).toHaveLength(2)
  })

  test.each([200, 404, 429, 500])('that is answered %i is not repeated', async (status) => {
    const { source, write, reads } = await reader()
    const { call, seen } = vendor(status)
    await write(document('one'))
    expect(await source.withToken(call)).toEqual({ status })
    expect(seen).toHaveLength(1)
    expect(reads()).toBe(1)
  })

  test('that fails by itself fails as it did', async () => {
    const { source, write } = await reader()
    await write(document('one'))
    const call = source.withToken(async () => {
      throw new TypeError('fetch failed')
    })
    await expect(call).rejects.toThrow(new TypeError('fetch failed'))
  })
})

describe('no token', () => {
  test('before the first rotation is told by the name of the secret', async () => {
    const { source } = await reader()
    const asked = source.getToken()
    await expect(asked).rejects.toBeInstanceOf(TokenUnavailableError)
    await expect(asked).rejects.toThrow(`the secret ${secretId} has no value yet`)
  })

  test('is no reason not to find the first one', async () => {
    const { source, write } = await reader()
    await expect(source.getToken()).rejects.toBeInstanceOf(TokenUnavailableError)
    await write(document('one'))
    expect(await source.getToken()).toMatchObject({ vendor: 'cisco-ftd' })
  })

  test.each([
    ['is no JSON', 'canary-of-a-foreign-secret'],
    ['is another JSON', { password: 'canary-of-a-foreign-secret' }],
    ['has another schema', document('canary-of-a-foreign-secret', { schema: 2 })],
    [
      'has an end that is no instant',
      document('canary-of-a-foreign-secret', { expires_at: 'soon' }),
    ],
    ['has no headers', document('canary-of-a-foreign-secret', { headers: undefined })],
  ])('is in a secret that %s, and none of it is shown', async (_how, content) => {
    const { source, write } = await reader()
    await write(content)
    const error: unknown = await source.getToken().then(
      () => expect.unreachable('it was taken'),
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(TokenUnavailableError)
    expect((error as Error).message).toBe(
      `the secret ${secretId} does not hold a consumer document`,
    )
    expect(prints(error)).not.toContain('canary')
  })
})
