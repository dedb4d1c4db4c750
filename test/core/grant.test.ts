import { describe, expect, test, vi } from 'vitest'
import { decodeEnrollment } from '../../lib/core/documents.ts'
import { GrantRefusedError, StoreError, TransportError } from '../../lib/core/errors.ts'
import { grant } from '../../lib/core/grant.ts'
import { fingerprint } from '../../lib/core/ledger.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { Call, Grant, TokenSet } from '../../lib/core/vendor.ts'
import { openRun } from './open-run.ts'
import { mdrWorld } from './world.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const held = decodeEnrollment('{"refreshToken":"refresh-1"}', 'version-1')
const token = fingerprint('mdr-prod', new Redacted('refresh-1'))
const tokens: TokenSet = {
  accessToken: new Redacted('access-2'),
  tokenType: 'Bearer',
  issuedAt: t0,
  expiresAt: new Date('2026-01-01T01:00:00Z'),
  grant: 'any',
}
const unreachable = new TransportError('unreachable', 'no')
const unanswered = new TransportError('no answer', 'maybe')
const refusal = new GrantRefusedError('no', { reason: 'invalid_grant', status: 400 })

/** A grant that answers so; what it was called with, and what stood in the ledger then, is kept. */
async function asked(
  spends: Grant['spends'],
  answer: TokenSet | Error,
  {
    probe = false,
    seconds = 300,
    item = {},
    more = {},
    document = held,
  }: {
    probe?: boolean
    seconds?: number
    item?: object
    more?: Partial<Grant>
    document?: typeof held
  } = {},
) {
  const world = mdrWorld()
  const context = await openRun(world, { seconds, item })
  const calls: { call: Call; stored: ReturnType<typeof world.item> }[] = []
  const asking: Grant = {
    name: 'any',
    spends,
    usable: () => true,
    async request(_held, call) {
      calls.push({ call, stored: world.item() })
      if (answer instanceof Error) throw answer
      return answer
    },
    ...more,
  }
  const revision = world.item().revision
  const granted = await grant({ do: 'renew', grant: asking, probe }, document, context).catch(
    (error: unknown) => ({ thrown: error }),
  )
  const writes = world.item().revision - revision
  return { granted, calls, world, context, stored: world.item(), writes }
}

describe('a grant that spends', () => {
  test('is on record before it leaves, under a lease that outlasts the function', async () => {
    const { granted, calls } = await asked('refresh-token', tokens)
    expect(granted).toEqual({ tokens })
    expect(calls).toHaveLength(1)
    expect(calls[0]?.stored).toMatchObject({
      spent: [token],
      intent: {
        grant: 'any',
        token,
        versionId: 'version-1',
        at: t0,
        kind: 'first',
        refused: false,
      },
      lease: { expiresAt: new Date('2026-01-01T00:05:30Z') },
    })
  })

  test('is on record as the repetition if it is that', async () => {
    const { stored } = await asked('refresh-token', tokens, { probe: true })
    expect(stored.intent?.kind).toBe('probe')
  })

  test('waits as long as the run can, less the time to persist', async () => {
    const { calls } = await asked('refresh-token', tokens)
    expect(calls[0]?.call).toMatchObject({ now: t0, timeoutSeconds: 280 })
  })

  test('is made with a minute to wait and the time to persist, and not with less', async () => {
    expect((await asked('refresh-token', tokens, { seconds: 80 })).calls).toHaveLength(1)
    const { granted, calls, writes } = await asked('refresh-token', tokens, { seconds: 79.9 })
    expect(granted).toMatchObject({
      thrown: {
        code: 'ERR_TRANSPORT',
        sent: 'no',
        message: 'only 80 s of this run are left, too few to wait for an answer; nothing was sent',
      },
    })
    expect({ calls, writes }).toEqual({ calls: [], writes: 0 })
  })

  test('is not made if time stood still between the announcement and the sending', async () => {
    const world = mdrWorld()
    const context = await openRun(world)
    const { ledger } = context
    const frozen = {
      ...context,
      ledger: {
        ...ledger,
        get item() {
          return ledger.item
        },
        commit: async (change?: Parameters<typeof ledger.commit>[0]) => {
          await ledger.commit(change)
          world.clock.advance(221)
        },
      },
    }
    const request = () => expect.fail('it was sent')
    const late: Grant = { name: 'any', spends: 'refresh-token', usable: () => true, request }
    await expect(grant({ do: 'renew', grant: late, probe: false }, held, frozen)).rejects.toThrow(
      'only 79 s of this run are left',
    )
    expect(ledger.item).toMatchObject({ spent: [] })
    expect(ledger.item.intent).toBeUndefined()
  })

  test('is not made without a refresh token', async () => {
    const document = decodeEnrollment('{"username":"api"}', 'version-1')
    const { granted, calls, writes } = await asked('refresh-token', tokens, { document })
    expect(granted).toMatchObject({ thrown: { sent: 'no', message: 'no refresh token is held' } })
    expect({ calls, writes }).toEqual({ calls: [], writes: 0 })
  })

  test('that is refused is told, and on record as refused', async () => {
    const { granted, stored } = await asked('refresh-token', refusal)
    expect(granted).toEqual({
      error: { code: 'ERR_GRANT_REFUSED', message: 'no (invalid_grant, status 400)' },
    })
    expect(stored.intent).toMatchObject({ token, refused: true })
  })

  test('without an answer is told, and stays on record as in doubt', async () => {
    const { granted, stored } = await asked('refresh-token', unanswered)
    expect(granted).toEqual({ error: { code: 'ERR_TRANSPORT', message: 'no answer' } })
    expect(stored).toMatchObject({ spent: [token], intent: { token, refused: false } })
  })

  test('is not announced before what it has to ask first is known', async () => {
    const prepare = vi.fn<NonNullable<Grant['prepare']>>(async () => {
      throw unreachable
    })
    const { granted, calls, writes } = await asked('refresh-token', tokens, { more: { prepare } })
    expect(granted).toEqual({ thrown: unreachable })
    expect(prepare.mock.calls).toEqual([[{ now: t0, timeoutSeconds: 10, known: {} }]])
    expect({ calls, writes }).toEqual({ calls: [], writes: 0 })
  })

  test('that never left is as if it had not been announced', async () => {
    const { granted, context } = await asked('refresh-token', unreachable)
    expect(granted).toEqual({ thrown: unreachable })
    expect(context.ledger.item.spent).toEqual([])
    expect(context.ledger.item.intent).toBeUndefined()
  })

  test('the second time, and never left, is in doubt from the first time on', async () => {
    const intent = {
      grant: 'any',
      token,
      versionId: 'version-1',
      at: t0,
      kind: 'first',
      refused: false,
    }
    const given = { probe: true, item: { spent: [token], intent } }
    const { context } = await asked('refresh-token', unreachable, given)
    expect(context.ledger.item).toMatchObject({ spent: [token], intent })
  })
})

describe('a grant that spends nothing', () => {
  test('is not announced, and may give up after ten seconds', async () => {
    const { granted, calls, writes } = await asked('nothing', tokens)
    expect(granted).toEqual({ tokens })
    expect(calls[0]?.call.timeoutSeconds).toBe(10)
    expect(writes).toBe(0)
  })

  test('that is refused is on record with the credential that was', async () => {
    const { granted, stored } = await asked('nothing', refusal)
    expect(granted).toEqual({
      error: { code: 'ERR_GRANT_REFUSED', message: 'no (invalid_grant, status 400)' },
    })
    expect(stored.refused).toEqual([{ grant: 'any', credentialId: 'version-1' }])
  })

  test('that fails otherwise leaves nothing on record: the next run tries again', async () => {
    const { granted, writes } = await asked('nothing', unanswered)
    expect(granted).toEqual({ thrown: unanswered })
    expect(writes).toBe(0)
  })

  test('may announce facts, which are on record before it leaves; its call knows those of before', async () => {
    const item = { facts: { serialNumber: 'JAD1', step: '1' } }
    const more = { announces: ({ known }: Call) => ({ step: `${known.step}+1` }) }
    const { calls } = await asked('nothing', tokens, { item, more })
    expect(calls[0]?.stored.facts).toEqual({ serialNumber: 'JAD1', step: '1+1' })
    expect(calls[0]?.call.known).toEqual({ serialNumber: 'JAD1', step: '1' })
  })

  test('that announces nothing this time writes nothing', async () => {
    expect((await asked('nothing', tokens, { more: { announces: () => ({}) } })).writes).toBe(0)
  })

  test.each([
    [10, 1],
    [10.001, 0],
  ])(
    'that announced is not sent by a run that stood still longer than an answer may take (%d s)',
    async (seconds, sendings) => {
      const world = mdrWorld()
      const write: typeof world.ledger.write = async (item) => {
        if (item.facts.step !== undefined) world.clock.advance(seconds)
        return world.ledger.write(item)
      }
      const context = await openRun(world, {
        ports: { ...world.ports, ledger: { ...world.ledger, write } },
      })
      let sent = 0
      const announcing: Grant = {
        name: 'any',
        spends: 'nothing',
        usable: () => true,
        announces: () => ({ step: '1' }),
        async request() {
          sent++
          return tokens
        },
      }
      const granted = await grant({ do: 'renew', grant: announcing, probe: false }, held, context)
        .then(() => undefined)
        .catch((error: unknown) => error)
      expect(sent).toBe(sendings)
      if (sendings > 0) return
      expect(granted).toMatchObject({
        sent: 'no',
        message: 'this run stood still after it had announced what it would send; nothing was sent',
      })
    },
  )
})

test('a refusal is put on record at a later try if the ledger does not answer at once', async () => {
  for (const spends of ['nothing', 'refresh-token'] as const) {
    const world = mdrWorld()
    let isRefused = false
    let failures = 0
    const write: typeof world.ledger.write = async (item) => {
      if (isRefused && failures++ < 2) throw new StoreError('UpdateItem was throttled', 'retry')
      return world.ledger.write(item)
    }
    const context = await openRun(world, {
      ports: { ...world.ports, ledger: { ...world.ledger, write } },
    })
    const refusing: Grant = {
      name: 'any',
      spends,
      usable: () => true,
      async request() {
        isRefused = true
        throw refusal
      },
    }
    const granted = await grant({ do: 'renew', grant: refusing, probe: false }, held, context)
    expect(granted).toHaveProperty('error')
    const { refused, intent } = world.item()
    expect(spends === 'nothing' ? refused.length : intent?.refused).toBeTruthy()
  }
})
