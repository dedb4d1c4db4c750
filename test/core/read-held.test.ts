import { describe, expect, test } from 'vitest'
import {
  type Enrollment,
  encodeEnrollment,
  encodeEscrow,
  enrollmentSecretId,
} from '../../lib/core/documents.ts'
import { StoreError } from '../../lib/core/errors.ts'
import { fingerprint, type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import { escrowName, noticeLostLedger, readHeld } from '../../lib/core/read-held.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { TokenSet } from '../../lib/core/vendor.ts'
import { successorId } from '../../lib/core/version-id.ts'
import { memoryParameters, memorySecrets } from './memory.ts'
import { openRun } from './open-run.ts'
import { mdrWorld } from './world.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const at = (minutes: number) => new Date(t0.getTime() + minutes * 60_000)
const owner = { connection: 'mdr-prod', vendor: 'kaspersky-mdr' }
const secretId = enrollmentSecretId('mdr-prod')
const fresh = newItem({ vendor: 'kaspersky-mdr', connection: 'mdr-prod' }, t0)

/** A pair named after the minute in which it was issued. */
const pair = (minute: number): TokenSet => ({
  accessToken: new Redacted(`access-${minute}`),
  tokenType: 'Bearer',
  issuedAt: at(minute),
  expiresAt: at(minute + 60),
  refreshToken: new Redacted(`refresh-${minute}`),
  grant: 'refresh_token',
})
const mark = (minute: number) => fingerprint('mdr-prod', new Redacted(`refresh-${minute}`))
const one = '00000000-0000-4000-8000-000000000001'
const two = successorId(one)
const three = successorId(two)
const stray = '00000000-0000-4000-8000-00000000000f'

/** A token that was sent, and its answer is missing or a refusal. */
const doubt = (minute: number, versionId: string, refused = false) => ({
  spent: [mark(0), mark(minute)],
  intent: { grant: 'g', token: mark(minute), versionId, at: t0, kind: 'first' as const, refused },
})

/** What stands in the stores, the first version current; what is found, in a word. */
function stores() {
  const secrets = memorySecrets([secretId])
  const parameters = memoryParameters()
  const put = (text: string, versionId: string, label: 'current' | 'pending' = 'pending') =>
    secrets.put(secretId, { versionId, text }, label)
  const document = (versionId: string, tokens: Enrollment['tokens'], fence?: number) =>
    encodeEnrollment(
      {
        versionId,
        credential: {},
        credentialId: one,
        tokens,
        superseded: [],
        ...(fence === undefined ? {} : { fence }),
      },
      owner,
    )
  const reads: string[] = []
  const read: typeof secrets.read = async (id, versionId) => {
    reads.push(versionId ?? 'current')
    return secrets.read(id, versionId)
  }
  const found = async (
    item: Partial<LedgerItem> = {},
    escrow: Pick<typeof parameters, 'read'> = parameters,
  ) => {
    const counting = { secrets: { ...secrets, read }, parameters: escrow }
    const all = await readHeld('mdr-prod', { ...fresh, ...item }, counting)
    if (all === undefined) return undefined
    const { current, tip, newest } = all
    const tokens =
      newest.in === 'current'
        ? current.tokens
        : newest.in === 'version'
          ? newest.enrollment.tokens
          : newest.escrowed.tokens
    return {
      current: current.versionId,
      tip,
      in: newest.in,
      token: tokens.refreshToken?.reveal(),
      ...(newest.in === 'version' ? { newestTip: newest.tip } : {}),
    }
  }
  return {
    found,
    reads,
    written: (versionId: string, minute: number, label?: 'current' | 'pending') =>
      put(document(versionId, pair(minute), 1), versionId, label),
    byHand: (versionId: string, fields: object, label: 'current' | 'pending' = 'current') =>
      put(JSON.stringify(fields), versionId, label),
    bare: (versionId: string, minute: number) =>
      put(
        document(versionId, { refreshToken: pair(minute).refreshToken as Redacted }, 1),
        versionId,
      ),
    escrowed: (minute: number, basedOn = one) =>
      parameters.write(
        escrowName('mdr-prod'),
        encodeEscrow({ basedOn, tokens: pair(minute), superseded: [] }),
      ),

    escrow: (text: string) => parameters.write(escrowName('mdr-prod'), text),
  }
}

describe('what is found of a connection', () => {
  test('is nothing before anybody has enrolled, whatever stands in the escrow', async () => {
    const { found, escrowed } = stores()
    await escrowed(1)
    expect(await found()).toBeUndefined()
  })

  test('is the current version where there is no other', async () => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    expect(await found()).toEqual({ current: one, tip: one, in: 'current', token: 'refresh-0' })
  })

  test('is the last of the versions that follow it, each under the one id it can have', async () => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    await written(two, 1)
    await written(three, 2)
    expect(await found()).toEqual({
      current: one,
      tip: three,
      in: 'version',
      token: 'refresh-2',
      newestTip: three,
    })
  })

  test('goes by the time of issue, not by the order of versions', async () => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    await written(two, 2)
    await written(three, 1)
    expect(await found()).toMatchObject({ tip: three, token: 'refresh-2' })
  })

  test('is what is current where a follower is no newer', async () => {
    const { found, written } = stores()
    await written(one, 5, 'current')
    await written(two, 5)
    expect(await found()).toMatchObject({ in: 'current', tip: two })
  })

  test('leaves a follower without a whole pair aside', async () => {
    const { found, written, bare } = stores()
    await written(one, 0, 'current')
    await bare(two, 1)
    expect(await found()).toMatchObject({ in: 'current', tip: two })
  })

  test('leaves what was sent aside, and takes an older pair that was not', async () => {
    const { found, written } = stores()
    await written(one, 5, 'current')
    await written(two, 6)
    await written(three, 4)
    expect(await found({ spent: [mark(5), mark(6)] })).toMatchObject({ token: 'refresh-4' })
    expect(await found({ spent: [mark(4), mark(5), mark(6)] })).toMatchObject({ in: 'current' })
  })
})

describe('the version that the ledger last knew', () => {
  test.each<[string, Partial<LedgerItem>]>([
    ['as persisted', { versionId: stray }],
    [
      'as the one whose token was sent',
      {
        intent: {
          grant: 'g',
          token: 't',
          versionId: stray,
          at: t0,
          kind: 'first',
          refused: false,
        },
      },
    ],
  ])('counts, %s, and so do those that follow it', async (_title, item) => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    await written(stray, 1)
    await written(successorId(stray), 2)
    await written(successorId(successorId(stray)), 3)
    expect(await found(item)).toEqual({
      current: one,
      tip: one,
      in: 'version',
      token: 'refresh-3',
      newestTip: successorId(successorId(stray)),
    })
  })

  test('counts alone too', async () => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    await written(stray, 1)
    expect(await found({ versionId: stray })).toMatchObject({
      token: 'refresh-1',
      newestTip: stray,
    })
  })

  test('is read once, however many ways lead to it', async () => {
    const intent = { grant: 'g', token: 't', at: t0, kind: 'first', refused: false } as const
    const asked = async (versionId: string) => {
      const { found, written, reads } = stores()
      await written(one, 0, 'current')
      await written(stray, 1)
      await found({ versionId, intent: { ...intent, versionId } })
      return reads
    }
    expect(await asked(one)).toEqual(['current', two])
    expect(await asked(stray)).toEqual(['current', two, stray, successorId(stray)])
  })

  test('may be gone', async () => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    expect(await found({ versionId: stray })).toMatchObject({ in: 'current', tip: one })
  })
})

describe('the escrow', () => {
  test('counts if its pair is the newest', async () => {
    const { found, written, escrowed } = stores()
    await written(one, 0, 'current')
    await written(two, 1)
    await escrowed(2)
    expect(await found()).toEqual({ current: one, tip: two, in: 'escrow', token: 'refresh-2' })
    await escrowed(1)
    expect(await found()).toMatchObject({ in: 'version' })
  })

  test('with something else in it stops nothing', async () => {
    const { found, written, escrow } = stores()
    await written(one, 0, 'current')
    await escrow('put here by somebody')
    expect(await found()).toMatchObject({ in: 'current' })
  })
})

describe('an escrow that cannot be read', () => {
  const down = new StoreError('GetParameter failed with TimeoutError', 'retry')
  const published = {
    versionId: one,
    issuedAt: t0,
    expiresAt: at(60),
    held: true,
    where: 'secret',
    proven: true,
  } as const
  const unread = async (item: Partial<LedgerItem>) => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    return found(item, { read: () => Promise.reject(down) })
  }

  test('stops a run while an answer is missing, and one that knows nothing: it may hold the pair', async () => {
    const { intent } = doubt(0, one)
    await expect(unread({ intent, versionId: one, published })).rejects.toBe(down)
    await expect(unread({})).rejects.toBe(down)
  })

  test('stops no other', async () => {
    expect(await unread({ versionId: one })).toMatchObject({ in: 'current' })
    expect(await unread({ published })).toMatchObject({ in: 'current' })
  })
})

describe('what a person enrolls', () => {
  test('wins over whatever a run left behind', async () => {
    const { found, written, byHand, escrowed } = stores()
    await byHand(one, { refreshToken: 'console-token' })
    await written(two, 1)
    await escrowed(2)
    expect(await found({ versionId: stray })).toEqual({
      current: one,
      tip: two,
      in: 'current',
      token: 'console-token',
    })
  })

  test('does not win if it is a token that was sent: the pair that followed is still the one', async () => {
    const { found, written, byHand } = stores()
    await byHand(one, { refreshToken: 'refresh-0', username: 'api' })
    await written(two, 1)
    expect(await found({ spent: [mark(0)] })).toMatchObject({ in: 'version', token: 'refresh-1' })
  })

  test('and the vendor refused gives way to the former pair, if that was not sent', async () => {
    const { found, written, byHand } = stores()
    await byHand(one, { refreshToken: 'refresh-9' })
    await written(stray, 1)
    const given = { ...doubt(9, one, true), versionId: stray }
    expect(await found(given)).toMatchObject({ in: 'version', token: 'refresh-1' })
    expect(await found({ ...given, ...doubt(9, one) })).toMatchObject({ in: 'current' })
  })

  test('is followed by the pair that it bought, although they have edited it meanwhile', async () => {
    const { found, byHand, escrowed } = stores()
    await byHand(one, { refreshToken: 'refresh-0' })
    await byHand(stray, { refreshToken: 'refresh-0', username: 'api' })
    await escrowed(1, one)
    expect(await found(doubt(0, one))).toMatchObject({ in: 'escrow', token: 'refresh-1' })
  })

  test('wins without any token as well', async () => {
    const { found, written, byHand } = stores()
    await byHand(one, { username: 'api' })
    await written(two, 1)
    expect(await found()).toMatchObject({ in: 'current' })
  })
})

describe('a version whose token was sent without an answer', () => {
  test('counts before an older one that somebody restored: it may yet turn out to be good', async () => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    await written(stray, 5)
    expect(await found(doubt(5, stray))).toMatchObject({ in: 'version', token: 'refresh-5' })
  })

  test('counts before a used one that somebody restored, also if a person wrote it', async () => {
    const { found, written, byHand } = stores()
    await written(one, 0, 'current')
    await byHand(stray, { refreshToken: 'refresh-5' }, 'pending')
    expect(await found(doubt(5, stray))).toMatchObject({ in: 'version', token: 'refresh-5' })
    expect(await found(doubt(5, stray, true))).toMatchObject({ in: 'current' })
    const unused = { ...doubt(5, stray), spent: [mark(5)] }
    expect(await found(unused)).toMatchObject({ in: 'current', token: 'refresh-0' })
  })

  test('does not count once it was refused, nor before one that is newer', async () => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    await written(stray, 5)
    expect(await found(doubt(5, stray, true))).toMatchObject({ in: 'current' })
    const newer = stores()
    await newer.written(one, 6, 'current')
    await newer.written(stray, 5)
    expect(await newer.found(doubt(5, stray))).toMatchObject({ in: 'current', token: 'refresh-6' })
  })

  test('does not count before one of the same moment', async () => {
    const { found, written } = stores()
    await written(one, 5, 'current')
    await written(stray, 5)
    expect(await found(doubt(5, stray))).toMatchObject({ in: 'current' })
  })

  test('is no other whose token was sent as well', async () => {
    const { found, written } = stores()
    await written(one, 0, 'current')
    await written(stray, 5)
    const item = { ...doubt(5, two), versionId: stray }
    expect(await found(item)).toMatchObject({ in: 'current' })
  })

  test('that is current stays so, but for a newer pair', async () => {
    const { found, written } = stores()
    await written(one, 5, 'current')
    await written(two, 4)
    expect(await found(doubt(5, one))).toMatchObject({ in: 'current', token: 'refresh-5' })
    await written(three, 6)
    expect(await found(doubt(5, one))).toMatchObject({ in: 'version', token: 'refresh-6' })
  })

  test('that was not marked as sent is as good as any other', async () => {
    const { found, written } = stores()
    await written(one, 5, 'current')
    await written(stray, 6)
    const item = { ...doubt(6, stray), spent: [] }
    expect(await found(item)).toMatchObject({ in: 'version', token: 'refresh-6' })
  })
})

describe('a document that is ahead of the ledger', () => {
  async function noticed(
    {
      fence,
      newest = 'current',
      holds = true,
      spent = [],
      seen = 0,
    }: {
      fence?: number
      newest?: 'current' | 'version' | 'escrow'
      holds?: boolean
      spent?: string[]
      seen?: number
    },
    newer?: number,
  ) {
    const world = mdrWorld()
    const context = await openRun(world, { item: { fence: 5, spent } })
    const { revision } = world.item()
    const current: Enrollment = {
      versionId: one,
      credential: {},
      credentialId: one,
      tokens: holds ? { refreshToken: new Redacted('refresh-0') } : {},
      superseded: [],
      ...(fence === undefined ? {} : { fence }),
    }
    const enrollment = {
      ...current,
      versionId: two,
      tokens: pair(1),
      ...(newer === undefined ? {} : { fence: newer }),
    }
    const escrowed = { basedOn: one, tokens: pair(1), superseded: [] }
    const found = {
      current,
      tip: one,
      fence: seen,
      newest:
        newest === 'current'
          ? { in: newest }
          : newest === 'version'
            ? { in: newest, enrollment, tip: two }
            : { in: newest, escrowed },
    } as const
    expect(await noticeLostLedger(found, context)).toBe(found)
    const item = world.item()
    return {
      fence: item.fence,
      knownFrom: item.knownFrom,
      spent: item.spent,
      intent: item.intent,
      writes: item.revision - revision,
    }
  }
  const untouched = { fence: 5, spent: [], intent: undefined, writes: 0 }

  test('by its fence shows that the ledger was lost: its token counts as sent and in doubt', async () => {
    const doubt = {
      grant: 'unknown',
      token: mark(0),
      versionId: one,
      // The end of this run: one like it may have begun just before the item was lost.
      at: new Date(t0.getTime() + 300_000),
      kind: 'first',
      refused: false,
      fence: 6,
    }
    const lost = { fence: 6, knownFrom: 6, spent: [mark(0)], intent: doubt, writes: 1 }
    expect(await noticed({ fence: 5 })).toEqual(lost)
    const intent = { ...doubt, fence: 9 }
    expect(await noticed({ fence: 8 })).toEqual({ ...lost, fence: 9, knownFrom: 9, intent })
  })

  test('is one that was read on the way as well', async () => {
    expect(await noticed({ fence: 3, seen: 7 })).toMatchObject({ fence: 8, spent: [mark(0)] })
  })

  test('is not one that an earlier run wrote, or a person', async () => {
    expect(await noticed({ fence: 4 })).toEqual(untouched)
    expect(await noticed({})).toEqual(untouched)
  })

  test('in a follower is so too, but then its token was not touched', async () => {
    const behind = { spent: [], intent: undefined, writes: 1 }
    expect(await noticed({ fence: 4, newest: 'version' }, 7)).toEqual({
      ...behind,
      fence: 8,
      knownFrom: 8,
    })
    expect(await noticed({ fence: 7, newest: 'version' }, 4)).toEqual({
      ...behind,
      fence: 8,
      knownFrom: 8,
    })
    expect(await noticed({ fence: 6, newest: 'escrow' })).toEqual({
      ...behind,
      fence: 7,
      knownFrom: 7,
    })
    expect(await noticed({ newest: 'version' })).toEqual(untouched)
  })

  test('has nothing in doubt if its token is on record as sent', async () => {
    const spent = [mark(0)]
    expect(await noticed({ fence: 6, spent })).toEqual({
      fence: 7,
      knownFrom: 7,
      spent,
      intent: undefined,
      writes: 1,
    })
  })

  test('has nothing in doubt if it holds no refresh token', async () => {
    const fields = { fence: 6, holds: false }
    expect(await noticed(fields)).toEqual({
      fence: 7,
      knownFrom: 7,
      spent: [],
      intent: undefined,
      writes: 1,
    })
  })
})
