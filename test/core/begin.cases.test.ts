import { describe, expect, test } from 'vitest'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import type { Found } from '../../lib/core/read-held.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import {
  anew,
  at,
  away,
  begun,
  counted,
  down,
  encoded,
  type Given,
  home,
  mark,
  own,
  spent,
  taken,
  theirs,
  third,
} from './begun.ts'
import { twoRegions } from './two-regions.ts'
import { start } from './world.ts'

describe('a region that', () => {
  test('stands by reads nothing of what is held', async () => {
    const read = () => Promise.reject(down)
    const { ending } = await begun({
      item: { standing: { epoch: 9, region: home } },
      ports: { secrets: { ...twoRegions().away.ports.secrets, read } },
    })
    expect(ending).toMatchObject({ outcome: 'standby' })
  })

  test('stands by although the others know that it is at work goes to work: its ledger was lost', async () => {
    const standing = { epoch: 0, region: home }
    const { token, item } = await begun({
      own: { ...own, standing: taken },
      item: { standing, takingOver: undefined },
      other: { standing: taken },
    })
    expect(token).toBe('own-1')
    expect(item.standing).toEqual(taken)
    const { change } = counted()
    const alone = await begun({ own, item: { standing, takingOver: undefined }, change })
    expect(alone.ending).toMatchObject({ outcome: 'standby' })
  })

  test('knows that it is at work asks nobody', async () => {
    const { change, asked } = counted()
    const settled = await begun({ own, change, item: { takingOver: undefined } })
    expect(settled.token).toBe('own-1')
    expect(asked()).toBe(0)
  })

  test('does not know who is at work asks, and stands by if it is another', async () => {
    const unknown = { standing: undefined, takingOver: undefined }
    const other = { standing: { epoch: 12, region: third } }
    const { ending, item } = await begun({ own, item: unknown, other })
    expect(ending).toMatchObject({ outcome: 'standby' })
    expect(item.standing).toEqual(other.standing)
  })

  test('holds a document of a later take-over stands by', async () => {
    const standing = { epoch: 10, region: home }
    const { ending, item } = await begun({ own: { ...own, standing } })
    expect(ending).toMatchObject({ outcome: 'standby' })
    expect(item.standing).toEqual(standing)
  })

  test('is at work where nobody has enrolled yet holds nothing', async () => {
    const { result } = await begun({ item: { takingOver: undefined } })
    expect(result).toEqual({ found: undefined })
  })
})

/** The other region's credential, and one that is written here later. */
const order = [
  ['there', 'enrolled'],
  ['here', 'edited-since'],
] as const

describe('after a take-over', () => {
  test('the pair of the region that was at work is carried on with', async () => {
    const all = await begun({ own, theirs })
    expect(all.token).toBe('theirs-1')
    expect(all.item).not.toHaveProperty('takingOver')
    expect(all.item.intent).toBeUndefined()
    expect(all.there?.standing).toEqual(taken)
  })

  test('it is so although nothing is held here, or what is held is used up', async () => {
    expect((await begun({ theirs })).token).toBe('theirs-1')
    expect((await begun({ own, theirs, other: spent('own-1') })).token).toBe('theirs-1')
  })

  test('what is held here is carried on with, undoubted, if there is nothing there', async () => {
    const { token, item } = await begun({ own, other: spent('elsewhere') })
    expect(token).toBe('own-1')
    expect(item.intent).toBeUndefined()
    expect(item.spent).toEqual([mark('elsewhere')])
  })

  test('and if a person has enrolled here since', async () => {
    const enrolled = { ...own, credentialId: 'edited-since' }
    expect((await begun({ own: enrolled, theirs, credentials: order })).token).toBe('own-1')
    const credentials = [...order].reverse()
    expect((await begun({ own: enrolled, theirs, credentials })).token).toBe('theirs-1')
  })

  test('and if the pair there is used up and on record as the newest', async () => {
    const other = { ...spent('theirs-1'), versionId: 'theirs' }
    expect((await begun({ own, theirs, other })).token).toBe('own-1')
    const both = { ...other, ...spent('theirs-1', 'own-1') }
    expect((await begun({ own, theirs, other: both })).token).toBe('theirs-1')
  })

  test('a pair there that is used up and not the newest on record is waited for, five looks long', async () => {
    const other = { ...spent('theirs-1'), versionId: 'newer' }
    const { ending } = await begun({ own, theirs, other, item: { attempts: 4 } })
    expect(ending).toEqual({
      outcome: 'blocked',
      message: 'what eu-central-1 holds is not to be seen yet',
      dueAt: expect.any(Date),
    })
    const fifth = await begun({ own, theirs, other, item: { attempts: 5 } })
    expect(fifth.token).toBe('own-1')
  })

  test('but not if it was in doubt there: then nothing newer is to come', async () => {
    const intent = {
      ...{ grant: 'g', token: mark('theirs-1'), versionId: 'theirs', at: start },
      ...{ kind: 'first' as const, refused: false },
    }
    const other = { ...spent('theirs-1', 'own-1'), versionId: 'newer', intent }
    const { token, item } = await begun({ own, theirs, other })
    expect(token).toBe('theirs-1')
    expect(item.intent).toMatchObject({ kind: 'first', token: mark('theirs-1') })
  })

  test('what it announced and, by its own ledger, did not send is not used up', async () => {
    const said = { epoch: 0, region: home, token: mark('theirs-1'), kind: 'first' as const }
    const heard = { ...said, fence: 3, until: at(300) }
    const item = { ...spent('own-1', 'theirs-1'), heard }
    const { token, item: after } = await begun({ own, theirs, item, other: { fence: 3 } })
    expect(token).toBe('theirs-1')
    expect(after).toMatchObject({ spent: [mark('own-1')] })
    expect(after).not.toHaveProperty('heard')
    for (const known of [
      { item, other: { fence: 3, ...spent('theirs-1') } },
      { item, other: { fence: 2 } },
      { item, other: { fence: 4, knownFrom: 4 } },
      { item: { ...item, heard: { ...heard, region: third } }, other: { fence: 3 } },
    ]) {
      const { item: kept, ending } = await begun({ own, theirs, ...known })
      expect(ending?.message).toContain('not to be seen yet')
      expect(kept.spent).toContain(mark('theirs-1'))
    }
  })

  test('what was doubted here until it could be asked is not used up if its own ledger does not know of it', async () => {
    const intent = {
      ...{ grant: 'unheard of', token: mark('theirs-1'), versionId: 'own', at: start },
      ...{ kind: 'first' as const, refused: false },
    }
    const doubtful = { ...spent('earlier', 'theirs-1'), intent }
    const given = { own: { ...theirs, standing: taken }, theirs }
    const asked = async (item: Partial<LedgerItem>, other: Partial<LedgerItem>) =>
      (await begun({ ...given, item: { ...doubtful, ...item }, other })).item
    const settled = await asked({}, { fence: 1 })
    expect(settled).not.toHaveProperty('intent')
    expect(settled.spent).toEqual([mark('earlier')])
    const stillDoubtful: [Partial<LedgerItem>, Partial<LedgerItem>][] = [
      [{}, { fence: 1, ...spent('theirs-1') }],
      // A ledger that knows less than what is held there.
      [{}, { fence: 0 }],
      // Sent by this region itself.
      [{ intent: { ...intent, grant: 'refresh_token' } }, { fence: 1 }],
    ]
    for (const [item, other] of stillDoubtful) {
      expect((await asked(item, other)).spent).toContain(mark('theirs-1'))
    }
  })

  test('and if a token enrolled here since is used up, the pair there is', async () => {
    const enrolled = { ...own, credentialId: 'enrolled-since' }
    expect((await begun({ own: enrolled, theirs, item: spent('own-1') })).token).toBe('theirs-1')
  })

  test('with the credential that a person has written here since, unless one has there later still', async () => {
    const credential = { note: 'ask Kim' }
    const edited = { ...own, credentialId: 'edited-since', credential }
    const current = async (credentials: NonNullable<Given['credentials']>) => {
      const { result } = await begun({ own: edited, theirs, item: spent('own-1'), credentials })
      return (result as { found: Found }).found.current
    }
    const brought = await current([...order])
    expect(brought).toMatchObject({ credential, credentialId: 'edited-since' })
    expect(brought.tokens.refreshToken?.reveal()).toBe('theirs-1')
    const others = [[...order].reverse(), order.slice(0, 1), order.slice(1), []]
    for (const credentials of others) {
      expect((await current(credentials)).credentialId).toBe('enrolled')
    }
  })

  test('what has no refresh token is not used up', async () => {
    const tokens = {
      accessToken: new Redacted('access-9'),
      tokenType: 'Bearer',
      issuedAt: start,
      expiresAt: at(3600),
      grant: 'password',
    }
    const { result } = await begun({ own, theirs: { ...theirs, tokens } })
    expect(result).toMatchObject({ found: { current: { tokens: { grant: 'password' } } } })
  })

  test('what this very take-over has written is not written again, nor what is not there', async () => {
    const written = await begun({ own: { ...own, standing: taken }, other: {} })
    expect(written.result).toMatchObject({ found: { current: { versionId: 'own' } } })
    expect((await begun({ other: {} })).result).toEqual({ found: undefined })
  })

  test('nothing is doubted for a region that was at work itself', async () => {
    const takingOver = { ...anew, from: { epoch: 6, region: away } }
    const { token, item } = await begun({ own, other: {}, item: { takingOver } })
    expect(token).toBe('own-1')
    expect(item.intent).toBeUndefined()
  })

  test('what is held here waits, should its secret keep changing', async () => {
    const secrets = { ...twoRegions().away.secrets, put: async () => 'conflict' as const }
    const read = async (_id: string, versionId?: string) =>
      versionId === undefined ? { versionId: 'own', text: encoded('own', own) } : undefined
    const { ending } = await begun({ other: {}, ports: { secrets: { ...secrets, read } } })
    expect(ending).toMatchObject({ outcome: 'failed' })
  })

  test('a run at work there is waited for', async () => {
    const lease = { runId: 'theirs', expiresAt: at(120) }
    expect((await begun({ own, theirs, other: { lease } })).ending).toEqual({
      outcome: 'blocked',
      message: 'a run is at work in eu-central-1; what it gets is waited for',
      dueAt: at(120),
    })
  })

  test('a region that has been told is not interrupted again', async () => {
    const told = await begun({ own, theirs, other: { standing: taken, revision: 5 } })
    expect(told.token).toBe('theirs-1')
    expect(told.there?.revision).toBe(5)
    const takingOver = { ...anew, from: taken }
    for (const other of [{ standing: { ...taken, epoch: 8 } }, { standing: taken, takingOver }]) {
      const { there } = await begun({ own, theirs, other: { ...other, revision: 5 } })
      expect(there).toMatchObject({ revision: 6, standing: taken })
      expect(there).not.toHaveProperty('takingOver')
    }
  })

  test('a later take-over there is given way to', async () => {
    const standing = { epoch: 10, region: home }
    const { ending, item } = await begun({ own, theirs, other: { standing } })
    expect(ending).toMatchObject({ outcome: 'standby' })
    expect(item.standing).toEqual(standing)
  })

  test('who was at work before is taken from the other ledger, if it knows of a later one', async () => {
    const { item, token } = await begun({
      own,
      theirs,
      other: { standing: { epoch: 5, region: third } },
    })
    // That region is none of those that can be asked: what is held here may have been sent there.
    expect(token).toBe('own-1')
    expect(item.intent).toMatchObject({ token: mark('own-1'), grant: 'unheard of' })
    const earlier = await begun({
      ...{ own, theirs, other: { standing: { epoch: 5, region: third } } },
      item: { takingOver: { ...anew, from: { epoch: 6, region: home } } },
    })
    expect(earlier.token).toBe('theirs-1')
    const mine = await begun({ own, theirs, other: { standing: { epoch: 5, region: away } } })
    expect(mine.token).toBe('theirs-1')
  })
})
