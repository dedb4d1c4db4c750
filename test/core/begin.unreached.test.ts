import { describe, expect, test } from 'vitest'
import type { Peer } from '../../lib/core/ports.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import {
  at,
  begun,
  counted,
  down,
  type Given,
  home,
  mark,
  own,
  spent,
  taken,
  theirs,
  third,
} from './begun.ts'

describe('a region that was at work and cannot be reached', () => {
  const halfGone = ({ ledger }: Peer) => ({
    ledger: { ...ledger, write: () => Promise.reject(down) },
  })

  test('is asked thrice, a second apart; then what is held here is in doubt', async () => {
    const { change, asked } = counted()
    const { token, item, slept } = await begun({ own, theirs, change })
    expect([asked(), slept]).toEqual([3, [1, 1]])
    expect(token).toBe('own-1')
    expect(item.intent).toMatchObject({ token: mark('own-1'), kind: 'first', grant: 'unheard of' })
    expect(item.takingOver).toEqual({
      from: { epoch: 0, region: home },
      without: [home],
      settled: true,
    })
  })

  test('is believed in what it announced last: that is in doubt, and not an older one put over it', async () => {
    const said = { epoch: 0, region: home, token: mark('announced'), kind: 'probe' as const }
    const heard = { ...said, fence: 3, until: at(300) }
    const aside = { token: 'announced' }
    const item = { ...spent('own-1', 'announced'), heard, versionId: 'aside' }
    const older = { ...own, tokens: { refreshToken: new Redacted('own-1') } }
    const given = { own: older, aside, change: counted().change, item }
    const { token, item: after } = await begun(given)
    expect(token).toBe('announced')
    expect(after.intent).toMatchObject({ token: mark('announced'), kind: 'probe' })
    // Nothing announced here is newer than a doubt of its own.
    const intent = {
      ...{ grant: 'g', token: mark('own-1'), versionId: 'own', at: at(0) },
      ...{ kind: 'first' as const, refused: false },
    }
    expect((await begun({ ...given, item: { ...item, intent } })).token).toBe('own-1')
  })

  test('is waited for, five looks long, if it answers some calls', async () => {
    const { ending } = await begun({ own, theirs, change: halfGone, item: { attempts: 4 } })
    expect(ending).toMatchObject({ outcome: 'blocked', dueAt: expect.any(Date) })
    const fifth = await begun({ own, theirs, change: halfGone, item: { attempts: 5 } })
    expect(fifth.token).toBe('own-1')
  })

  test('is not what one is whose client has a mistake', async () => {
    const broken = new RangeError('a mistake')
    const change = ({ ledger }: Peer) => ({
      ledger: { ...ledger, read: () => Promise.reject(broken) },
    })
    await expect(begun({ own, theirs, change })).rejects.toBe(broken)
  })

  test('is not doubted for again where one has gone on without it before', async () => {
    const takingOver = { without: [home], settled: false }
    const { token, item } = await begun({
      own,
      theirs,
      change: counted().change,
      item: { takingOver },
    })
    expect(token).toBe('own-1')
    expect(item.intent).toBeUndefined()
  })

  describe('and is back', () => {
    const takingOver = { without: [home], settled: true }
    const back = (given: Given) => begun({ ...given, item: { takingOver, ...given.item } })

    test('hears of it, while what is held here goes on if it is good', async () => {
      const { result, token, item, there } = await back({ own, theirs })
      expect(token).toBe('own-1')
      expect(result).toMatchObject({ found: { current: { versionId: 'own' } } })
      expect(item).not.toHaveProperty('takingOver')
      expect(there?.standing).toEqual(taken)
    })

    test('has its pair carried on with if what is held here is used up', async () => {
      const item = spent('own-1')
      expect((await back({ own, theirs, item })).token).toBe('theirs-1')
      const other = spent('theirs-1')
      expect((await back({ own, theirs, item, other })).token).toBe('own-1')
      const enrolled = { ...own, credentialId: 'enrolled-since' }
      const credentials = [
        ['there', 'enrolled'],
        ['here', 'enrolled-since'],
      ] as const
      expect((await back({ own: enrolled, theirs, item, credentials })).token).toBe('own-1')
    })

    test('does not stop what is good here while a run is at work there', async () => {
      const other = { lease: { runId: 'theirs', expiresAt: at(120) } }
      const { token, item } = await back({ own, theirs, other })
      expect(token).toBe('own-1')
      expect(item.takingOver).toMatchObject({ without: [home], settled: true })
      const halfBack = await back({ own, theirs, change: halfGone })
      expect(halfBack.token).toBe('own-1')
      const used = await back({ own, theirs, other, item: spent('own-1') })
      expect(used.ending).toMatchObject({ outcome: 'blocked' })
      const higher = { standing: { epoch: 10, region: home } }
      expect((await back({ own, theirs, other: higher })).ending).toMatchObject({
        outcome: 'standby',
      })
    })

    test('is not asked again once it has heard', async () => {
      const { change, asked } = counted()
      const heard = { takingOver: { without: [third], settled: true } }
      expect((await begun({ own, theirs, change, item: heard })).token).toBe('own-1')
      expect(asked()).toBe(0)
    })
  })
})
