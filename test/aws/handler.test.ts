import { writeFile } from 'node:fs/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createHandler } from '../../lib/aws/handler.ts'
import { kasperskyMdr as simulated } from '../../lib/local/simulators/kaspersky-mdr.ts'
import { kasperskyMdr } from '../../lib/vendors/kaspersky-mdr.ts'
import { tracesOf } from '../canaries.ts'
import { account, captured, context } from './account.ts'

const enrollment = 'token-rotator/mdr-prod/enrollment'
const consumer = 'token-rotator/mdr-prod/access-token'

/** MDR with one connection, deployed and enrolled. */
async function deployed() {
  const simulator = await simulated.start()
  onTestFinished(() => simulator.close())
  const { url, ca, credential } = simulator
  const { clientId, refreshToken } = credential
  const at = await account([
    {
      configuration: { id: 'mdr-prod', vendor: 'kaspersky-mdr', ...{ url, clientId, tls: { ca } } },
      enroll: { refreshToken },
    },
  ])
  const printed = captured()
  /** Log lines about runs, with what each held of the outcome. */
  const logged = () =>
    printed.text
      .split('\n')
      .filter((line) => line.includes('"message":"run"'))
      .map((line) => JSON.parse(line) as { level: string; vendor: string; run: unknown })
  return { simulator, ...at, printed, logged }
}

describe('the environment', () => {
  test.each(['TOKEN_ROTATOR_LEDGER_TABLE', 'TOKEN_ROTATOR_CONNECTIONS'])(
    'without %s is an error that names it, at every invocation until it is there',
    async (name) => {
      const { simulator } = await deployed()
      const value = process.env[name]
      vi.stubEnv(name, undefined)
      const handler = createHandler(kasperskyMdr)
      for (let n = 0; n < 2; n++) {
        await expect(handler({}, context)).rejects.toMatchObject({
          code: 'ERR_CONFIG',
          field: name,
        })
      }
      vi.stubEnv(name, value)
      expect(await handler({}, context)).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
      expect(simulator.counters().spends).toBe(1)
    },
  )

  test.each([
    ['not JSON', '{"id"', 'is not JSON'],
    ['no list', '{"id":"mdr-prod"}', 'allowed is a list of connections'],
  ])('that leads to connections which are %s says so', async (_what, text, message) => {
    const { connections } = await deployed()
    await writeFile(connections, text)
    await expect(createHandler(kasperskyMdr)({}, context)).rejects.toThrow(message)
  })

  test('may hold connections of other vendors, which are none of its business', async () => {
    const { connections } = await deployed()
    await writeFile(
      connections,
      JSON.stringify([{ id: 'x', vendor: 'cisco-ftd', url: 'nonsense' }]),
    )
    expect(await createHandler(kasperskyMdr)({}, context)).toEqual({ outcomes: [] })
  })
})

describe('an invocation', () => {
  test('rotates what is due, publishes a token that works, and leaves alone what is not', async () => {
    const { simulator, current, logged, ledger } = await deployed()
    const handler = createHandler(kasperskyMdr)
    expect(await handler({}, context)).toMatchObject({
      outcomes: [{ connection: 'mdr-prod', outcome: 'rotated' }],
    })
    const published = await current(consumer)
    const { url, credential, ca } = simulator
    const held = await current(enrollment)
    expect(simulator.holds(String(held.refreshToken))).toBe('live')
    expect(published).toMatchObject({
      schema: 1,
      connection: 'mdr-prod',
      vendor: 'kaspersky-mdr',
      base_url: url,
      access_token: held.accessToken,
      headers: { Authorization: `Bearer ${held.accessToken}` },
    })
    expect(ca).toContain('CERTIFICATE')
    expect(JSON.stringify(published)).not.toContain(String(credential.refreshToken))
    expect(await handler({}, context)).toEqual({ outcomes: [] })
    expect(simulator.counters()).toMatchObject({ spends: 1, issued: 1 })
    expect(logged()).toHaveLength(1)
    expect(await ledger()).toMatchObject([{ connection: 'mdr-prod', rotations: 1, attempts: 0 }])
  })

  test.each([2, 5])('of %i that begin together is the only one to spend', async (count) => {
    const { simulator } = await deployed()
    simulator.inject({ kind: 'slow', on: 'refresh', ms: 300 })
    const handlers = Array.from({ length: count }, () => createHandler(kasperskyMdr))
    const answers = await Promise.all(handlers.map((handler) => handler({}, context)))
    const outcomes = answers.flatMap((answer) => answer.outcomes.map(({ outcome }) => outcome))
    expect(outcomes.filter((outcome) => outcome === 'rotated')).toHaveLength(1)
    expect(simulator.counters()).toMatchObject({ spends: 1, presentedTwice: 0 })
  })

  test('that finds another one waiting for its answer leaves the connection to it', async () => {
    const { simulator } = await deployed()
    simulator.inject({ kind: 'slow', on: 'refresh', ms: 2000 })
    const first = createHandler(kasperskyMdr)({}, context)
    await vi.waitUntil(() => simulator.counters().spends === 1, { timeout: 10_000 })
    expect(await createHandler(kasperskyMdr)({}, context)).toEqual({
      outcomes: [{ connection: 'mdr-prod', outcome: 'lease-held' }],
    })
    expect(await first).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
    expect(simulator.counters()).toMatchObject({ spends: 1, presentedTwice: 0 })
  }, 20_000)

  test('with too little time left sends nothing', async () => {
    const { simulator } = await deployed()
    const late = { getRemainingTimeInMillis: () => 70_000 }
    expect(await createHandler(kasperskyMdr)({}, late)).toMatchObject({
      outcomes: [{ outcome: 'deferred' }],
    })
    expect(simulator.counters().spends).toBe(0)
  })

  test('fails as a whole only if the ledger cannot be asked', async () => {
    const { endpoint, simulator } = await deployed()
    endpoint.inject({ operation: 'Query', kind: 'access-denied' })
    const handler = createHandler(kasperskyMdr)
    await expect(handler({}, context)).rejects.toMatchObject({ code: 'ERR_STORE', kind: 'denied' })
    expect(await handler({}, context)).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
    expect(simulator.counters().spends).toBe(1)
  })
})

describe('a bus that', () => {
  test.each([
    ['refuses', { kind: 'access-denied' }],
    ['is throttled', { kind: 'throttle' }],
    ['fails', { kind: 'internal-error' }],
    ['does not answer', { kind: 'drop-before' }],
    ['loses its answer', { kind: 'lost-ack' }],
  ] as const)('%s costs no rotation and changes nothing about it', async (_what, fault) => {
    const { endpoint, simulator, current, ledger } = await deployed()
    endpoint.inject({ operation: 'PutEvents', times: 99, ...fault })
    const handler = createHandler(kasperskyMdr)
    expect(await handler({}, context)).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
    const { accessToken } = await current(enrollment)
    expect((await current(consumer)).access_token).toBe(accessToken)
    expect(await ledger()).toMatchObject([{ rotations: 1, attempts: 0 }])
    expect((await ledger())[0]).not.toHaveProperty('lease')
    expect(await handler({}, context)).toEqual({ outcomes: [] })
    expect(simulator.counters()).toMatchObject({ spends: 1, issued: 1 })
  })
})

test('an event of no source that it knows is refused before anything is asked', async () => {
  const { endpoint, simulator } = await deployed()
  const before = endpoint.calls()
  const event = { source: 'aws.s3', 'detail-type': 'Object Created' }
  await expect(createHandler(kasperskyMdr)(event, context)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    field: 'event',
  })
  expect(endpoint.calls()).toEqual(before)
  expect(simulator.counters().spends).toBe(0)
})

describe('the log', () => {
  test('has a JSON line with the outcome of each run, and no secret', async () => {
    const { simulator, logged, printed, versions } = await deployed()
    await createHandler(kasperskyMdr)({}, context)
    expect(logged()).toMatchObject([
      {
        level: 'INFO',
        service: 'token-rotator',
        vendor: 'kaspersky-mdr',
        run: { connection: 'mdr-prod', outcome: 'rotated' },
      },
    ])
    const documents = await versions(enrollment)
    const tokens = documents.flatMap((text) => {
      const { refreshToken, accessToken } = JSON.parse(text) as Record<string, string | undefined>
      return [refreshToken, accessToken].filter((token) => token !== undefined)
    })
    expect(tokens).toHaveLength(3)
    expect(tokens).toContain(simulator.credential.refreshToken)
    expect(tracesOf(tokens, printed.text)).toEqual([])
  })

  test('warns of a run that failed, with its code', async () => {
    const { simulator, logged } = await deployed()
    simulator.inject({ kind: 'consume-then-drop' })
    await createHandler(kasperskyMdr)({}, context)
    expect(logged()).toMatchObject([
      {
        level: 'WARN',
        run: { outcome: 'blocked', cause: 'token-at-risk', error: { code: 'ERR_TRANSPORT' } },
      },
    ])
  })
})
