import { describe, expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import { persist, untilDeadline } from '../../lib/core/persist.ts'
import type { SecretStore } from '../../lib/core/ports.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import { manualClock, memoryParameters } from './memory.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const tokens = {
  accessToken: new Redacted('access-2'),
  tokenType: 'Bearer',
  issuedAt: t0,
  expiresAt: new Date('2026-01-01T01:00:00Z'),
  refreshToken: new Redacted('refresh-2'),
  grant: 'refresh_token',
}
const enrollment = {
  versionId: 'version-2',
  credential: {},
  credentialId: 'version-0',
  tokens,
  superseded: [tokens],
  fence: 1,
}
const throttled = () => new StoreError('PutSecretValue was throttled', 'retry')
const denied = () => new StoreError('PutSecretValue was denied', 'denied')
const full = () => new StoreError('PutParameter was denied', 'denied')

/** Brings a pair to stores of which the secret's answers come one after another, the last one for good. */
function store(
  answers: readonly ('stored' | 'conflict' | Error)[],
  escrow?: Error,
  clock = manualClock(t0),
) {
  const parameters = memoryParameters()
  const puts: { at: number; call: Parameters<SecretStore['put']> }[] = []
  const writes: number[] = []
  const seconds = () => (clock.now().getTime() - t0.getTime()) / 1000
  const secrets: SecretStore = {
    read: async () => undefined,
    currentId: async () => undefined,
    promote: async () => 'promoted',
    async put(...call) {
      const answer = answers[Math.min(puts.length, answers.length - 1)]
      puts.push({ at: seconds(), call })
      if (answer instanceof Error) throw answer
      return answer ?? 'stored'
    },
  }
  const write = async (name: string, text: string) => {
    writes.push(seconds())
    if (escrow !== undefined) throw escrow
    await parameters.write(name, text)
  }
  const run = (deadlineSeconds = 60) =>
    persist(enrollment, 'version-1', {
      connection: { id: 'mdr-prod', vendor: 'kaspersky-mdr' },
      deadline: new Date(t0.getTime() + deadlineSeconds * 1000),
      secrets,
      parameters: { ...parameters, write },
      clock,
      timings: defaultTimings,
    })
  return { run, puts, writes, seconds, escrow: parameters.values }
}

describe('a pair', () => {
  test('that the secret takes stands there as a version that is not yet current, and nowhere else', async () => {
    const { run, puts, writes } = store(['stored'])
    expect(await run()).toBe('secret')
    const [put] = puts
    expect(put?.call[0]).toBe('token-rotator/mdr-prod/enrollment')
    expect(put?.call[1].versionId).toBe('version-2')
    expect(JSON.parse(put?.call[1].text ?? '')).toMatchObject({
      connection: 'mdr-prod',
      vendor: 'kaspersky-mdr',
      refreshToken: 'refresh-2',
      writtenAs: 'version-2',
    })
    expect(put?.call[2]).toBe('pending')
    expect(writes).toEqual([])
  })

  test('that the secret refuses is safe in the escrow, with what it came from', async () => {
    const { run, escrow, puts } = store([denied()])
    expect(await run()).toBe('escrow')
    expect(JSON.parse(escrow.get('/token-rotator/mdr-prod/escrow') ?? '')).toMatchObject({
      basedOn: 'version-1',
      tokens: { refreshToken: 'refresh-2' },
      superseded: [{ accessToken: 'access-2' }],
    })
    expect(puts).toHaveLength(1)
  })

  test('for which another has taken the version is kept in the escrow for the next look', async () => {
    const { run, escrow } = store(['conflict'])
    expect(await run()).toBe('conflict')
    expect(escrow.size).toBe(1)
  })

  test('that the secret refuses, be it for a moment, goes to the escrow without waiting a second', async () => {
    const clock = manualClock(t0)
    const { escrowAfterSeconds } = defaultTimings
    const endless: typeof clock = {
      ...clock,
      sleep: (seconds) =>
        seconds === escrowAfterSeconds ? new Promise(() => {}) : clock.sleep(seconds),
    }
    const { run, escrow } = store([throttled(), 'stored'], undefined, endless)
    expect(await run()).toBe('secret')
    expect(escrow.size).toBe(1)
  })

  test('that the secret takes at a later try is home, although the escrow has it too', async () => {
    const { run, escrow, puts } = store([throttled(), throttled(), throttled(), 'stored'])
    expect(await run()).toBe('secret')
    expect(escrow.size).toBe(1)
    expect(puts).toHaveLength(4)
  })

  test('that the escrow has is offered to the secret for five seconds more, not for the whole run', async () => {
    const { run, puts, seconds } = store([throttled()])
    expect(await run()).toBe('escrow')
    expect(puts.at(-1)?.at).toBeGreaterThan(3)
    expect(seconds()).toBeLessThanOrEqual(6)
  })

  test('is offered no longer than the run lasts', async () => {
    const { run, puts } = store([throttled()])
    expect(await run(2)).toBe('escrow')
    expect(puts.at(-1)?.at).toBeLessThan(2)
  })

  test('that no store takes is at risk, and both reasons are told', async () => {
    const { run, puts, writes } = store([throttled()], throttled())
    await expect(run(30)).rejects.toMatchObject({
      code: 'ERR_TOKEN_AT_RISK',
      message:
        'neither Secrets Manager (PutSecretValue was throttled) nor the escrow (PutSecretValue was throttled) took the new pair before 2026-01-01T00:00:30.000Z',
      cause: { code: 'ERR_STORE' },
    })
    // Both are tried until the end.
    expect(puts.at(-1)?.at).toBeGreaterThan(29)
    expect(writes.at(-1)).toBeGreaterThan(29)
  })

  test('that finds its version taken and no escrow is at risk', async () => {
    const reason = full()
    const { run } = store(['conflict'], reason)
    await expect(run()).rejects.toMatchObject({
      message: expect.stringContaining(
        'neither Secrets Manager (another version is there) nor the escrow (PutParameter was denied)',
      ),
      cause: reason,
    })
  })
})

describe('a call of a store', () => {
  const clock = () => manualClock(t0)
  const until = (seconds: number, errors: readonly Error[]) => {
    const time = clock()
    const tried: number[] = []
    const deadline = new Date(t0.getTime() + seconds * 1000)
    const answer = untilDeadline(
      async () => {
        tried.push((time.now().getTime() - t0.getTime()) / 1000)
        const error = errors[tried.length - 1]
        if (error !== undefined) throw error
        return 'done'
      },
      { deadline, clock: time, timings: defaultTimings },
    )
    return { answer, tried }
  }

  test('is repeated every quarter of a second until it succeeds', async () => {
    const { answer, tried } = until(60, [throttled(), throttled()])
    expect(await answer).toBe('done')
    expect(tried).toEqual([0, 0.25, 0.5])
  })

  test('is not repeated when there is no time for another try', async () => {
    const last = throttled()
    const { answer, tried } = until(0.5, [throttled(), last, throttled()])
    await expect(answer).rejects.toBe(last)
    expect(tried).toEqual([0, 0.25])
  })

  test.each([
    ['it is denied', denied()],
    ['the quota is reached', new StoreError('too many versions', 'limit')],
    ['the error is of unknown origin', new Error('bug')],
  ])('is not repeated if %s', async (_title, error) => {
    const { answer, tried } = until(60, [error])
    await expect(answer).rejects.toBe(error)
    expect(tried).toEqual([0])
  })
})
