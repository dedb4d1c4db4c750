import fc from 'fast-check'
import { causes } from '../../lib/core/incident.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'

/** Any instant that a ledger or a document may hold. */
export const instant = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})

/** Names as people and vendors give them, save three that a decoder leaves out of any record. */
export const fieldName = fc
  .string()
  .filter((name) => !['__proto__', 'prototype', 'constructor'].includes(name))

const text = fc.string()
const facts = fc.dictionary(fieldName, text)
const count = fc.nat()

/** Every ledger item that there may be, each optional part present or absent. */
export const ledgerItem: fc.Arbitrary<LedgerItem> = fc.record(
  {
    vendor: text,
    connection: text,
    revision: count,
    writer: text,
    fence: count,
    dueAt: instant,
    lease: fc.record({ runId: text, expiresAt: instant }),
    intent: fc.record(
      {
        grant: text,
        token: text,
        versionId: text,
        at: instant,
        kind: fc.constantFrom<'first' | 'probe'>('first', 'probe'),
        refused: fc.boolean(),
        active: fc.boolean(),
      },
      { requiredKeys: ['grant', 'token', 'versionId', 'at', 'kind', 'refused'] },
    ),
    spent: fc.array(text),
    refused: fc.array(fc.record({ grant: text, credentialId: text })),
    knownFrom: count,
    versionId: text,
    enrolled: text,
    published: fc.record({
      versionId: text,
      issuedAt: instant,
      expiresAt: fc.option(instant),
      held: fc.boolean(),
      where: fc.constantFrom<'secret' | 'mirror'>('secret', 'mirror'),
      proven: fc.boolean(),
    }),
    refreshExpiresAt: instant,
    aliveAt: instant,
    retireAt: instant,
    requested: fc.boolean(),
    ordered: fc.record({ versionId: text, fence: count }),
    attempts: count,
    rotations: count,
    enrollmentWrites: fc.array(instant),
    consumerWrites: fc.array(instant),
    incidents: count,
    standing: fc.record({ epoch: count, region: text }),
    heard: fc.record({
      epoch: count,
      region: text,
      fence: count,
      token: text,
      kind: fc.constantFrom<'first' | 'probe'>('first', 'probe'),
      until: instant,
    }),
    takingOver: fc.record(
      {
        from: fc.record({ epoch: count, region: text }),
        without: fc.array(text),
        settled: fc.boolean(),
      },
      { requiredKeys: ['without', 'settled'] },
    ),
    incident: fc.record({
      id: text,
      openedAt: instant,
      told: fc.subarray([...causes]),
    }),
    facts,
    certificates: fc.array(fc.record({ name: text, notAfter: instant })),
    history: fc.array(
      fc.record(
        { at: instant, outcome: text, cause: fc.constantFrom(...causes) },
        { requiredKeys: ['at', 'outcome'] },
      ),
    ),
  },
  {
    requiredKeys: [
      'vendor',
      'connection',
      'revision',
      'writer',
      'fence',
      'dueAt',
      'spent',
      'refused',
      'attempts',
      'rotations',
      'enrollmentWrites',
      'consumerWrites',
      'incidents',
      'facts',
      'history',
    ],
  },
)
