import { describe, expect, test } from 'vitest'
import {
  bring,
  doubted,
  fromPeer,
  furthered,
  isSent,
  isUnsent,
  isWritten,
  moved,
  newestOf,
  unsent,
} from '../../lib/core/bring.ts'
import { answerSeconds } from '../../lib/core/decide.ts'
import type { Enrollment } from '../../lib/core/documents.ts'
import { StoreError } from '../../lib/core/errors.ts'
import { fingerprint, type Intent, type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import type { Found } from '../../lib/core/read-held.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { defaultTimings, nearlyOutAt } from '../../lib/core/renewal.ts'
import type { Ports } from '../../lib/core/run.ts'
import { successorId } from '../../lib/core/version-id.ts'
import { openRun } from './open-run.ts'
import { twoRegions } from './two-regions.ts'
import { start } from './world.ts'

const at = (seconds: number) => new Date(start.getTime() + seconds * 1000)
const mark = (token: string) => fingerprint('mdr-prod', new Redacted(token))
const tokens = (token: string) => ({
  accessToken: new Redacted(`access-of-${token}`),
  tokenType: 'Bearer',
  issuedAt: start,
  expiresAt: at(3600),
  refreshToken: new Redacted(token),
  grant: 'refresh_token',
})
const held: Enrollment & { tokens: ReturnType<typeof tokens> } = {
  versionId: 'held',
  credential: { username: 'api' },
  credentialId: 'enrolled',
  tokens: tokens('held'),
  superseded: [],
  fence: 3,
}
const bare: Enrollment = { ...held, tokens: {} }
const intent = (token: string, versionId: string): Intent => ({
  ...{ grant: 'g', token: mark(token), versionId, at: start },
  ...{ kind: 'probe', refused: false },
})
const fresh = newItem({ vendor: 'kaspersky-mdr', connection: 'mdr-prod' }, start)
const [home, away] = ['eu-central-1', 'eu-west-1']
const standing = { epoch: 9, region: away }

async function opened(item: Partial<LedgerItem> = {}, ports: Partial<Ports> = {}) {
  const two = twoRegions()
  two.promote()
  const { connection, vendor } = two.home
  const all = { ...two.away.ports, ...ports }
  const context = await openRun({ connection, vendor, ports: all }, { item: { standing, ...item } })
  return { context, two }
}

describe('the newest that was found', () => {
  const found = (newest: Found['newest'], current = held): Found => ({ current, tip: 't', newest })
  const other = {
    ...held,
    versionId: 'other',
    credentialId: 'former',
    credential: {},
    superseded: [held.tokens],
  }

  test('is the current document, or the pair of the escrow with its credentials', () => {
    expect(newestOf(found({ in: 'current' }))).toBe(held)
    const escrowed = { basedOn: 'held', tokens: tokens('escrowed'), superseded: [held.tokens] }
    expect(newestOf(found({ in: 'escrow', escrowed }))).toEqual({
      ...held,
      tokens: escrowed.tokens,
      superseded: escrowed.superseded,
    })
  })

  test('is another version, with the credentials that a person has edited since', () => {
    const newest = { in: 'version', enrollment: other, tip: 'other' } as const
    expect(newestOf(found(newest))).toBe(other)
    const { fence: _, ...edited } = held
    expect(newestOf(found(newest, edited as typeof held))).toEqual({
      ...other,
      credential: held.credential,
      credentialId: held.credentialId,
    })
  })
})

describe('what is held', () => {
  test('was written by this take-over if it bears its epoch and its region', async () => {
    const { context } = await opened()
    expect(isWritten({ ...held, standing }, context)).toBe(true)
    expect(isWritten({ ...held, standing: { ...standing, epoch: 8 } }, context)).toBe(false)
    expect(isWritten({ ...held, standing: { ...standing, region: home } }, context)).toBe(false)
    expect(isWritten(held, context)).toBe(false)
  })

  test('has been sent if its token is on record as that; nothing held counts as sent', async () => {
    const found: Found = { current: held, tip: 'held', newest: { in: 'current' } }
    const { context } = await opened({ spent: [mark('held')] })
    expect(isSent(found, context)).toBe(true)
    expect(isSent(found, (await opened()).context)).toBe(false)
    expect(isSent(undefined, context)).toBe(true)
    expect(isSent({ ...found, current: bare }, context)).toBe(false)
  })

  test('was certainly not sent if it is what the last announced sending there gave', async () => {
    const heard = {
      ...{ epoch: 0, region: home, fence: 3, token: mark('former') },
      ...{ kind: 'first' as const, until: start },
    }
    const unsent = async (
      change: Partial<typeof heard> | undefined,
      document: Enrollment = held,
    ) => {
      const item = change === undefined ? {} : { heard: { ...heard, ...change } }
      return isUnsent(document, (await opened(item)).context)
    }
    expect(await unsent({})).toBe(true)
    const later = { ...held, standing: { epoch: 4, region: away } }
    expect(await unsent({ epoch: 4, region: away }, later)).toBe(true)
    for (const change of [{ epoch: 1 }, { region: away }, { fence: 2 }, { token: mark('held') }]) {
      expect(await unsent(change), Object.keys(change)[0]).toBe(false)
    }
    expect(await unsent(undefined)).toBe(false)
    expect(await unsent(undefined, bare)).toBe(true)
    const { issuedAt: _, ...undated } = held.tokens
    expect(await unsent({}, { ...held, tokens: undated })).toBe(false)
  })

  test('is so only until the other region may have gone on without leave', async () => {
    const heard = {
      ...{ epoch: 0, region: home, fence: 3, token: mark('former') },
      ...{ kind: 'first' as const, until: start },
    }
    const { context, two } = await opened({ heard })
    const end = nearlyOutAt(held.tokens, defaultTimings).getTime()
    two.clock.advance((end - start.getTime()) / 1000 - 1)
    expect(isUnsent(held, context)).toBe(true)
    two.clock.advance(1)
    expect(isUnsent(held, context)).toBe(false)
  })
})

describe('the record that goes with a pair', () => {
  const own = { ...fresh, spent: [mark('own')], facts: { serial: '1', kept: 'k' } }
  const refused = [{ grant: 'g', credentialId: 'c-1' }]

  test('of another region is what is known here and there, its own doubt included', () => {
    const theirs: LedgerItem = {
      ...fresh,
      spent: [mark('theirs')],
      facts: { serial: '2' },
      refused: [{ grant: 'g', credentialId: 'c-2' }],
      intent: intent('held', 'there'),
    }
    const before = { ...own, refused, intent: intent('own', 'here') }
    expect(fromPeer(before, theirs, held, 'to')).toEqual({
      ...own,
      spent: [mark('own'), mark('theirs')],
      facts: { serial: '2', kept: 'k' },
      refused: [...refused, ...theirs.refused],
      intent: { ...intent('held', 'to'), fence: 4 },
    })
  })

  test('of another region has no doubt of another token', () => {
    for (const document of [held, bare]) {
      const theirs = { ...fresh, intent: intent('other', 'there') }
      expect(
        fromPeer({ ...own, intent: intent('own', 'here') }, theirs, document, 'to').intent,
      ).toBe(undefined)
      expect(fromPeer(own, fresh, document, 'to').intent).toBeUndefined()
    }
  })

  test('under another version id is in doubt there, if it is', () => {
    const doubt = { ...own, intent: intent('held', 'held') }
    expect(moved(doubt, held, 'to')).toEqual({ ...own, intent: intent('held', 'to') })
    const other = { ...own, intent: intent('held', 'other') }
    expect(moved(other, held, 'to')).toBe(other)
    expect(moved(own, held, 'to')).toBe(own)
  })

  test('that may have been sent elsewhere is in doubt until a run there is over', async () => {
    const { context } = await opened()
    const { timings } = context.ports
    const { intent: doubt, spent } = doubted(own, held, 'to', context)
    expect(doubt).toMatchObject({ token: mark('held'), versionId: 'to', kind: 'first' })
    // No answer to it can come any more once this long has passed after that instant.
    const over = context.ledger.deadline.getTime() + timings.leaseGraceSeconds * 1000
    expect(doubt?.at).toEqual(new Date(over - answerSeconds(timings) * 1000))
    expect(spent).toContain(mark('held'))
    expect(doubted(own, bare, 'to', context)).toBe(own)
  })

  test('is in doubt above every version that holds it: one of them that is restored is not handed back', async () => {
    const { context } = await opened()
    const { intent: doubt } = doubted(own, held, 'to', context)
    expect(doubt?.fence).toBe((held.fence ?? 0) + 1)
    const theirs = { ...own, intent: intent('held', 'held') }
    expect(fromPeer(own, theirs, held, 'to').intent?.fence).toBe((held.fence ?? 0) + 1)
    const ahead = { ...own, fence: 9 }
    expect(doubted(ahead, held, 'to', context).intent?.fence).toBe(10)
    expect(fromPeer(ahead, theirs, held, 'to').intent?.fence).toBe(10)
  })

  test('is not in doubt but used up if it is on record as sent, and not as the last', async () => {
    const { context } = await opened()
    const used = { ...own, spent: [mark('held')] }
    expect(doubted(used, held, 'to', context)).toBe(used)
    const heard = {
      ...{ epoch: 0, region: home, fence: 3, token: mark('held') },
      ...{ kind: 'first' as const, until: start },
    }
    expect(doubted({ ...used, heard }, held, 'to', context).intent?.token).toBe(mark('held'))
  })

  test('is as far gone as the other region knows: repeated, or refused', () => {
    const first = { ...intent('held', 'held'), kind: 'first' as const }
    const doubt = { ...own, intent: first }
    const there = (change: Partial<Intent>, token = 'held') => ({
      item: { ...own, intent: { ...first, token: mark(token), ...change } },
    })
    expect(furthered(doubt, there({}))).toEqual(doubt)
    expect(furthered(doubt, there({ kind: 'probe' })).intent).toEqual({
      ...doubt.intent,
      kind: 'probe',
    })
    expect(furthered(doubt, there({ refused: true })).intent).toEqual({
      ...doubt.intent,
      refused: true,
    })
    expect(furthered(doubt, there({ kind: 'probe' }, 'other'))).toBe(doubt)
    expect(furthered(doubt, { item: own })).toBe(doubt)
    expect(furthered(own, there({ kind: 'probe' }))).toBe(own)
    const refused = {
      ...own,
      intent: { ...intent('held', 'held'), kind: 'probe' as const, refused: true },
    }
    expect(furthered(refused, there({}))).toEqual(refused)
  })

  test('is in doubt no more once the other region, as the last that may have sent it, knows of nothing', async () => {
    const { context } = await opened()
    const doubt = doubted(own, held, 'to', context)
    const found: Found = { current: held, tip: 'held', newest: { in: 'current' } }
    const met = { region: home, item: { ...own, fence: held.fence ?? 0 }, found }
    expect(unsent(doubt, met, true)).toEqual({ ...doubt, intent: undefined, spent: own.spent })
    expect(unsent(doubt, met, false)).toEqual(doubt)
    const sent = { ...met.item, spent: [mark('held')] }
    expect(unsent(doubt, { ...met, item: sent }, true)).toEqual(doubt)
  })

  test('keeps what is known of the doubt: that it was a repetition, or what is on record', async () => {
    const { context } = await opened()
    const heard = {
      ...{ epoch: 0, region: home, fence: 3, token: mark('held') },
      ...{ kind: 'probe' as const, until: start },
    }
    expect(doubted({ ...own, heard }, held, 'to', context).intent?.kind).toBe('probe')
    const other = { ...heard, token: mark('other') }
    expect(doubted({ ...own, heard: other }, held, 'to', context).intent?.kind).toBe('first')
    const known = { ...own, intent: intent('held', 'held') }
    expect(doubted(known, held, 'to', context)).toEqual(moved(known, held, 'to'))
  })
})

describe('a document that is brought here', () => {
  const current = { ...held, versionId: 'current' }
  const found: Found = { current, tip: 'current', newest: { in: 'current' } }
  const brought = async (
    over: Found | undefined,
    given: Partial<Ports['secrets']> = {},
    fence = 7,
  ) => {
    const two = twoRegions()
    two.promote()
    const labels: unknown[] = []
    const { secrets } = two.away.ports
    const put: Ports['secrets']['put'] = async (id, version, label) => {
      labels.push(label)
      return (given.put ?? secrets.put)(id, version, label)
    }
    if (over !== undefined) two.away.secrets.edit(two.away.enrollment, 'current', '{}')
    const { connection, vendor } = two.home
    const ports = { ...two.away.ports, secrets: { ...secrets, ...given, put } }
    const item = { standing, fence, enrollmentWrites: [start] }
    const context = await openRun({ connection, vendor, ports }, { item })
    const result = await bring(held, over, context, (own) => ({ ...own, facts: { recorded: 'y' } }))
    const stored = two.away.secrets.current(two.away.enrollment)
    return { result, stored, labels, item: context.ledger.item }
  }
  const done = { connection: 'mdr-prod', vendor: 'kaspersky-mdr', epoch: 9, home: away }

  test('is current, under this take-over, and on record', async () => {
    for (const [over, label] of [
      [undefined, 'current'],
      [found, 'pending'],
    ] as const) {
      const { result, stored, labels, item } = await brought(over)
      expect(labels).toEqual([label])
      expect(stored).toMatchObject({ ...done, refreshToken: 'held', fence: 7 })
      const versionId = successorId(over === undefined ? 'held' : 'current')
      expect(item).toMatchObject({ versionId, fence: 8, facts: { recorded: 'y' } })
      expect(item.enrollmentWrites).toEqual([start, start])
      expect(result).toEqual({
        found: {
          current: { ...held, versionId, fence: 7, standing },
          tip: versionId,
          newest: { in: 'current' },
        },
      })
    }
  })

  test('bears the higher of two fences, its own and that of the ledger here', async () => {
    const { stored, item } = await brought(found, {}, 2)
    expect([stored?.fence, item.fence]).toEqual([3, 4])
  })

  test('gives way if the store moved on meanwhile', async () => {
    const ending = { outcome: 'failed', message: 'the store kept changing under this run' }
    const conflict = await brought(found, { put: async () => 'conflict' })
    expect(conflict.result).toEqual({ ending })
    const superseded = await brought(found, { promote: async () => 'superseded' })
    expect(superseded.result).toEqual({ ending })
    expect(superseded.item.enrollmentWrites).toEqual([start])
  })

  test('fails as the store does, but where it cannot be written: then a person is told', async () => {
    const fail = (error: Error) => brought(found, { put: () => Promise.reject(error) })
    const broken = new RangeError('a mistake')
    await expect(fail(broken)).rejects.toBe(broken)
    const full = new StoreError('no more versions', 'limit')
    await expect(fail(full)).rejects.toBe(full)
    expect((await fail(new StoreError('a replica', 'denied'))).result).toMatchObject({
      ending: { outcome: 'blocked', cause: 'configuration' },
    })
  })
})
