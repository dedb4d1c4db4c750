import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import { newItem } from '../../lib/core/ledger.ts'
import { decodeLedgerItem, encodeLedgerItem } from '../../lib/core/ledger-document.ts'
import { ledgerItem } from './arbitrary-item.ts'

const seed = { seed: 20260101 }
const item = newItem({ vendor: 'any', connection: 'any-1' }, new Date('2026-01-01T00:00:00Z'))

/** An item in which something was overwritten by hand. */
const edited = (change: object) => ({ ...encodeLedgerItem(item), ...change })

describe('a ledger item', () => {
  test('comes back from the table as it was written, whatever it holds', () => {
    fc.assert(
      fc.property(ledgerItem, (written) => {
        const stored: unknown = JSON.parse(JSON.stringify(encodeLedgerItem(written)))
        expect(decodeLedgerItem(stored)).toEqual({ ...written })
      }),
      { numRuns: 300, ...seed },
    )
  })

  test('stands in the table as plain JSON with instants in ISO 8601', () => {
    expect(encodeLedgerItem(item)).toMatchObject({ dueAt: '2026-01-01T00:00:00.000Z' })
  })

  test.each([
    ['a number for a name', { vendor: 7 }, 'vendor'],
    ['an instant that is none', { dueAt: 'soon' }, 'dueAt'],
    ['an instant as a number', { dueAt: 1_767_225_600_000 }, 'dueAt'],
    ['a lease without an end', { lease: { runId: 'run-1' } }, 'lease.expiresAt'],
    ['a third sending', { intent: { kind: 'third' } }, 'intent.grant'],
    [
      'an unknown cause',
      { incident: { id: 'i', openedAt: '2026-01-01T00:00:00Z', told: ['x'] } },
      'incident.told.0',
    ],
    ['an unknown place', { published: { where: 'nowhere' } }, 'published.versionId'],
    ['a fact that is no text', { facts: { serialNumber: 4711 } }, 'facts.serialNumber'],
    ['a list of something else', { spent: [1] }, 'spent.0'],
  ])('that somebody edited is refused with the field named: %s', (_title, change, field) => {
    expect(() => decodeLedgerItem(edited(change))).toThrow(
      expect.objectContaining({
        code: 'ERR_STORE',
        kind: 'denied',
        message: `the ledger item has the wrong shape at ${field}; delete the item, it is made anew`,
      }),
    )
  })

  test.each([
    [
      'intent',
      {
        grant: 'g',
        token: 't',
        versionId: 'v',
        at: '2026-01-01T00:00:00Z',
        kind: 'third',
        refused: false,
      },
      'kind',
    ],
    [
      'published',
      {
        versionId: 'v',
        issuedAt: '2026-01-01T00:00:00Z',
        expiresAt: null,
        held: true,
        where: 'nowhere',
        proven: true,
      },
      'where',
    ],
  ])('knows no other %s than the engine writes', (part, value, field) => {
    expect(() => decodeLedgerItem(edited({ [part]: value }))).toThrow(`at ${part}.${field};`)
  })

  test.each([undefined, null, 'text', 7, []])('that is none is refused: %j', (json) => {
    expect(() => decodeLedgerItem(json)).toThrow(StoreError)
  })

  test('that is no object at all is called the item', () => {
    expect(() => decodeLedgerItem('text')).toThrow('wrong shape at item;')
  })

  test('never fails but as a store that wants the operator, and quotes nothing, whatever stands there', () => {
    const marker = 'quoted-by-mistake'
    const value = fc.oneof(fc.constant(marker), fc.jsonValue(), fc.constant([marker]))
    const shape = fc.dictionary(fc.constantFrom(...Object.keys(edited({ intent: 0 }))), value)
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), shape, shape.map(edited)), (json) => {
        try {
          decodeLedgerItem(json)
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError)
          expect(error).toMatchObject({ kind: 'denied' })
          expect(inspect(error, { depth: 9 })).not.toContain(marker)
        }
      }),
      { numRuns: 500, ...seed },
    )
  })
})
