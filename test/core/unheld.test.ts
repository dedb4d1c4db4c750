import { describe, expect, test } from 'vitest'
import { requestRotation } from '../../lib/core/enroll.ts'
import { GrantRefusedError, TransportError } from '../../lib/core/errors.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import type { Grant, VendorClient } from '../../lib/core/vendor.ts'
import { mint } from './fake-mint.ts'
import { withQuota } from './quota.ts'
import { incydrWorld } from './world.ts'

describe('a secret that takes no more versions of tokens that are not held', () => {
  const full = () => {
    const made = mint()
    const { secrets, consumer, clock, ports } = made
    const store = withQuota(secrets, consumer, 'enforced', clock.now)
    return { ...made, store, through: { ...ports, secrets: store } }
  }

  test('is told once in three days, although it takes versions again every day', async () => {
    const { through, clock, invoke, told, store, item } = full()
    const where: string[] = []
    for (let minute = 0; minute < 3 * 24 * 60; minute++) {
      await invoke(through)
      where.push(item().published?.where ?? 'nowhere')
      clock.advance(60)
    }
    expect(store.refused()).toBeGreaterThan(80)
    expect(where.lastIndexOf('secret')).toBeGreaterThan(where.indexOf('mirror'))
    expect(told()).toEqual(['version-budget'])
  })

  test('mints once per ten minutes all the same', async () => {
    const { through, clock, invoke, calls } = full()
    for (let minute = 0; minute < 24 * 60; minute++) {
      await invoke(through)
      clock.advance(60)
    }
    expect(calls.length).toBe(144)
  })

  test('tells of another cause although that one is still open, each time it comes', async () => {
    const { through, clock, invoke, told, faults, item } = full()
    const minutes = async (count: number) => {
      for (let minute = 0; minute < count; minute++) {
        await invoke(through)
        clock.advance(60)
      }
    }
    await minutes(24 * 60 + 30)
    for (const _ of [1, 2]) {
      // An outage of half the margin, while the secret takes versions again.
      faults.push(...Array.from({ length: 5 }, () => new TransportError('unreachable', 'no')))
      await minutes(60)
    }
    expect(told()).toEqual([
      'version-budget',
      'freshness-at-risk',
      'Token Recovered',
      'freshness-at-risk',
      'Token Recovered',
    ])
    expect(item().incident?.told).toEqual(['version-budget'])
  })

  test('is over once there is room for versions again, and that is told', async () => {
    const { ports, clock, invoke, told, store, item, ledger } = full()
    await invoke(ports)
    const consumerWrites = Array.from({ length: 98 }, () => clock.now())
    const { published, ...rest } = item()
    const incident = { id: 'run-0', openedAt: clock.now(), told: ['version-budget'] as const }
    if (published === undefined) throw new Error('nothing was published')
    await ledger.write({
      ...rest,
      revision: rest.revision + 1,
      published,
      consumerWrites,
      incident,
    })
    const through = { ...ports, secrets: store }
    clock.advance(23 * 3600)
    await invoke(through)
    expect(told()).toEqual([])
    clock.advance(3600)
    await invoke(through)
    expect(told()).toEqual(['Token Recovered'])
    expect(item().incident).toBeUndefined()
  })

  test('a renewal that somebody asked for is done once its token stands in the mirror', async () => {
    const { through, connection, vendor, clock, calls, invoke, store, item } = full()
    for (let written = 0; written < 100; written++) {
      const version = { versionId: `filler-${written}`, text: String(written) }
      await store.put('token-rotator/example-1/access-token', version, 'current')
    }
    await invoke(through)
    expect(item().published?.where).toBe('mirror')
    await requestRotation(
      { connection, vendor, runId: 'person', remainingSeconds: () => 60 },
      through,
    )
    for (let minute = 0; minute < 5; minute++) {
      await invoke(through)
      clock.advance(60)
    }
    expect(calls.length).toBe(2)
  })
})

test('tokens that are not held leave nothing behind that is to be ended', async () => {
  const { minutes, item } = mint()
  expect((await minutes(11)).map(({ outcome }) => outcome)).toEqual(['rotated', 'rotated'])
  expect(item()).not.toHaveProperty('retireAt')
})

describe('facts that a grant announces', () => {
  test('are in the ledger for the next run, also when the answer was lost', async () => {
    const { invoke, clock, calls, faults } = mint(({ now }) => ({ step: now.toISOString() }))
    faults.push(new TransportError('no answer', 'maybe'))
    await invoke()
    clock.advance(60)
    await invoke()
    expect(calls.map(({ known }) => known.step)).toEqual([undefined, '2026-01-01T00:00:00.000Z'])
  })

  test('are worth nothing to a run that stood still after it had announced them: it sends nothing', async () => {
    const { ports, clock, invoke, fake, told } = incydrWorld('user-token')
    const { write } = ports.ledger
    const slow = async (item: LedgerItem) => {
      const written = await write(item)
      if (item.facts.totpStep !== undefined) clock.advance(120)
      return written
    }
    const sent: string[] = []
    const { connect } = ports
    const outcome = await invoke({
      ...ports,
      ledger: { ...ports.ledger, write: slow },
      connect: (...args) => asked(connect(...args), (name) => sent.push(name)),
    })
    expect(outcome).toMatchObject({ outcome: 'failed' })
    expect(sent).toEqual([])
    clock.advance(60)
    expect(await invoke()).toMatchObject({ outcome: 'rotated' })
    expect([fake.logins(), told()]).toEqual([1, []])
  })

  test('and sent too late are refused for that, and not for the credential', async () => {
    const { ports, clock, invoke, fake, told } = incydrWorld('user-token')
    const { connect } = ports
    const outcome = await invoke({
      ...ports,
      connect: (...args) => asked(connect(...args), () => clock.advance(120)),
    })
    expect(outcome).toMatchObject({ outcome: 'failed', error: { code: 'ERR_GRANT_REFUSED' } })
    clock.advance(60)
    expect(await invoke()).toMatchObject({ outcome: 'rotated' })
    expect([fake.logins(), told()]).toEqual([1, []])
  })

  test('are what makes the difference: a credential sent without any is refused for good, however late', async () => {
    const { ports, clock, invoke, faults, calls, minutes } = mint()
    faults.push(new GrantRefusedError('the key is locked', { reason: 'locked', status: 401 }))
    const { connect } = ports
    const outcome = await invoke({
      ...ports,
      connect: (...args) => asked(connect(...args), () => clock.advance(80)),
    })
    expect(outcome).toMatchObject({ outcome: 'blocked', cause: 'enrollment-required' })
    await minutes(30)
    expect(calls.length).toBe(1)
  })
})

/** A client that tells of each grant just before it is requested. */
function asked(client: VendorClient, tell: (name: string) => void): VendorClient {
  const grants = client.grants.map((grant): Grant => {
    const request: Grant['request'] = (...args) => {
      tell(grant.name)
      return grant.request(...args)
    }
    return { ...grant, request }
  })
  return { ...client, grants }
}

test('a person is told what the vendor said when it refused the credential', async () => {
  const { invoke, faults, events, minutes, calls, told } = mint()
  faults.push(new GrantRefusedError('the key is locked', { reason: 'locked', status: 401 }))
  await invoke()
  expect(events.emitted.map(({ detail }) => detail.message)).toEqual([
    'the vendor refused the enrolled credential (mint); it is not presented again until it changes: the key is locked (locked, status 401)',
  ])
  await minutes(120)
  expect(calls.length).toBe(1)
  expect(told()).toEqual(['enrollment-required', 'freshness-at-risk'])
})
