import { describe, expect, test } from 'vitest'
import type { Enrollment } from '../../lib/core/documents.ts'
import { newItem } from '../../lib/core/ledger.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { retire, supersededBy } from '../../lib/core/retire.ts'
import type { Ports } from '../../lib/core/run.ts'
import type { Grant, TokenSet, VendorClient } from '../../lib/core/vendor.ts'
import { openRun } from './open-run.ts'
import { mdrWorld } from './world.ts'

/** MDR, were it to revoke; what is revoked is written down. */
function revoking(fate?: 'held-ended', revokesHeld = true) {
  const world = mdrWorld()
  const revoked: string[] = []
  const ports: Ports = {
    ...world.ports,
    connect: (...args): VendorClient => {
      const client = world.ports.connect(...args)
      return {
        ...client,
        grants: client.grants.map((grant) => ({ ...grant, ...(revokesHeld && { revokesHeld }) })),
        async revoke(superseded) {
          revoked.push(...superseded.map(({ accessToken }) => accessToken.reveal()))
          return fate
        },
      }
    },
  }
  const minutes = async (count: number) => {
    const outcomes: string[] = []
    for (let minute = 0; minute < count; minute++) {
      const outcome = await world.invoke(ports)
      if (outcome !== undefined) outcomes.push(outcome.outcome)
      world.clock.advance(60)
    }
    return outcomes
  }
  return { world, revoked, minutes }
}

test('a spending grant that asks for it has the former token revoked, once, after every cache', async () => {
  const { world, revoked, minutes } = revoking()
  await minutes(1)
  const first = world.published()
  await minutes(45)
  expect(world.published()).not.toBe(first)
  expect(revoked).toEqual([])
  expect(await minutes(6)).toEqual(['retired'])
  expect(revoked).toEqual([first])
})

test('by default a refresh leaves nothing to revoke: its session goes on', async () => {
  const { revoked, minutes } = revoking(undefined, false)
  await minutes(120)
  expect(revoked).toEqual([])
})

test('if what is held died with what was revoked, it is renewed in the same run', async () => {
  const { world, revoked, minutes } = revoking('held-ended')
  await minutes(50)
  const before = world.item().rotations
  await minutes(3)
  expect(revoked).toHaveLength(1)
  expect(world.item().rotations).toBe(before + 1)
})

const t0 = new Date('2026-01-01T00:00:00Z')
const at = (minutes: number) => new Date(t0.getTime() + minutes * 60_000)
const set = (name: string, more: Partial<TokenSet> = {}): TokenSet => ({
  accessToken: new Redacted(name),
  tokenType: 'Bearer',
  issuedAt: t0,
  expiresAt: at(60),
  grant: 'password',
  ...more,
})
const document = (
  tokens: Enrollment['tokens'],
  superseded: readonly TokenSet[] = [],
): Enrollment => ({
  versionId: 'version-1',
  credential: {},
  credentialId: 'version-0',
  tokens,
  superseded,
})
const client = (revoke?: VendorClient['revoke']): VendorClient => ({
  grants: [],
  headers: () => ({}),
  close: async () => {},
  ...(revoke === undefined ? {} : { revoke }),
})

describe('what a new token set leaves behind to be ended', () => {
  const login: Grant = {
    name: 'password',
    spends: 'nothing',
    usable: () => true,
    request: () => Promise.reject(new Error('nobody asks')),
  }
  const fresh = newItem({ vendor: 'any', connection: 'any-1' }, t0)
  const left = (held: Enrollment, { grant = login, item = {}, revoke = true } = {}) =>
    supersededBy(
      set('new', { issuedAt: at(30) }),
      held,
      grant,
      client(revoke ? async () => undefined : undefined),
      { ...fresh, ...item },
    ).map(({ accessToken }) => accessToken.reveal())

  test('is the session that a fresh login replaces', () => {
    expect(left(document(set('old')))).toEqual(['old'])
  })

  test('is nothing where the vendor ends nothing', () => {
    expect(left(document(set('old')), { revoke: false })).toEqual([])
  })

  test('is nothing where the session goes on, unless the grant says otherwise', () => {
    const refresh: Grant = { ...login, spends: 'refresh-token' }
    expect(left(document(set('old')), { grant: refresh })).toEqual([])
    expect(left(document(set('old')), { grant: { ...refresh, revokesHeld: true } })).toEqual([
      'old',
    ])
  })

  test('is nothing where nothing whole was held', () => {
    expect(left(document({ refreshToken: new Redacted('r') }))).toEqual([])
  })

  test('is what still lives, be it by its refresh token alone, or without an end', () => {
    expect(left(document(set('old', { expiresAt: at(30) })))).toEqual([])
    expect(left(document(set('old', { expiresAt: null })))).toEqual(['old'])
    const dead = { expiresAt: at(20) }
    expect(left(document(set('old', { ...dead, refreshExpiresAt: at(31) })))).toEqual(['old'])
    expect(left(document(set('old', { ...dead, refreshExpiresAt: at(30) })))).toEqual([])
  })

  test('is as well what was still to be ended, and nothing that was ended already', () => {
    const held = document(set('old'), [set('older')])
    expect(left(held, { item: { retireAt: at(35) } })).toEqual(['older', 'old'])
    expect(left(held)).toEqual(['old'])
    const dead = document({}, [set('older')])
    expect(left(dead, { item: { retireAt: at(35) } })).toEqual(['older'])
  })
})

describe('ending superseded sessions', () => {
  async function ended(held: Enrollment, revoke?: VendorClient['revoke']) {
    const context = await openRun(mdrWorld(), { item: { retireAt: t0 } })
    const asked: string[][] = []
    const counting: VendorClient['revoke'] =
      revoke &&
      (async (superseded, by, call) => {
        asked.push([...superseded, by].map(({ accessToken }) => accessToken.reveal()))
        return revoke(superseded, by, call)
      })
    await retire(held, client(counting), context)
    const { retireAt, requested } = context.ledger.item
    return { asked, retireAt, requested }
  }
  const held = document(set('held'), [set('old')])
  const done = { retireAt: undefined, requested: undefined }

  test('is asked of the vendor with what is held, and is over', async () => {
    expect(await ended(held, async () => undefined)).toEqual({ asked: [['old', 'held']], ...done })
  })

  test('is over although the vendor fails, or has no such call', async () => {
    const asked = [['old', 'held']]
    const fails = () => Promise.reject(new Error('down'))
    expect(await ended(held, fails)).toEqual({ asked, ...done })
    expect(await ended(held)).toEqual({ asked: [], ...done })
  })

  test('that ended what is held as well has it renewed', async () => {
    expect(await ended(held, async () => 'held-ended')).toMatchObject({ requested: true })
  })

  test('asks nothing where there is nothing to end, or nothing whole is held', async () => {
    const nothing = document(set('held'))
    const bare = document({ refreshToken: new Redacted('r') }, [set('old')])
    expect(await ended(nothing, async () => undefined)).toEqual({ asked: [], ...done })
    expect(await ended(bare, async () => undefined)).toEqual({ asked: [], ...done })
  })
})
