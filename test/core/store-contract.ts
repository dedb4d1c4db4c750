import { describe, expect, test } from 'vitest'
import { type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import type { Ledger, Parameters, SecretStore } from '../../lib/core/ports.ts'

const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const secret = 'token-rotator/ftd-hq/enrollment'

/** Twenty at once, as far as one process can be. */
const twenty = Array.from({ length: 20 }, (_, index) => index)

/** The rules of versions and labels, kept by every secret store. @param start gives one with these empty secrets */
export function secretStoreContract(
  name: string,
  start: (secretIds: readonly string[]) => Promise<SecretStore>,
): void {
  describe(`secret store, ${name}`, () => {
    const begun = async (...texts: string[]) => {
      const store = await start([secret])
      for (const [index, text] of texts.entries()) {
        await store.put(secret, { versionId: id(index + 1), text }, 'current')
      }
      return store
    }
    const currentOf = (store: SecretStore) => store.read(secret)

    test('gives nothing of a secret without a value, of one that is not there, and of a version that is not', async () => {
      const store = await begun()
      expect(await store.read(secret)).toBeUndefined()
      expect(await store.read(secret, id(1))).toBeUndefined()
      expect(await store.read('token-rotator/nobody/enrollment')).toBeUndefined()
      await store.put(secret, { versionId: id(1), text: 'one' }, 'current')
      expect(await store.read(secret, id(2))).toBeUndefined()
    })

    test('puts a current version in the place of the one before, which can still be read', async () => {
      const store = await begun('one', 'two')
      expect(await currentOf(store)).toMatchObject({ versionId: id(2), text: 'two' })
      expect(await store.read(secret, id(1))).toMatchObject({ versionId: id(1), text: 'one' })
    })

    test('names the current version without reading it, and none of a secret without a value', async () => {
      const store = await begun()
      expect(await store.currentId(secret)).toBeUndefined()
      await store.put(secret, { versionId: id(1), text: 'one' }, 'current')
      expect(await store.currentId(secret)).toBe(id(1))
      await store.put(secret, { versionId: id(2), text: 'two' }, 'pending')
      expect(await store.currentId(secret)).toBe(id(1))
    })

    test('puts a pending version beside the current one', async () => {
      const store = await begun('one')
      const pending = { versionId: id(2), text: 'two' }
      expect(await store.put(secret, pending, 'pending')).toBe('stored')
      expect(await currentOf(store)).toMatchObject({ versionId: id(1), text: 'one' })
      expect(await store.read(secret, id(2))).toMatchObject(pending)
    })

    test.each(['pending', 'current'] as const)(
      'takes the repetition of a %s version and refuses other text under its id',
      async (label) => {
        const store = await begun('one')
        const version = { versionId: id(2), text: 'two' }
        expect(await store.put(secret, version, label)).toBe('stored')
        expect(await store.put(secret, version, label)).toBe('stored')
        expect(await store.put(secret, { ...version, text: 'other' }, label)).toBe('conflict')
        expect(await store.read(secret, id(2))).toMatchObject(version)
      },
    )

    test('changes nothing by the late repetition of a version that is current no more', async () => {
      const store = await begun('one', 'two')
      await store.put(secret, { versionId: id(1), text: 'one' }, 'current')
      expect(await currentOf(store)).toMatchObject({ versionId: id(2) })
    })

    test('promotes from one version to another, and says so again when asked again', async () => {
      const store = await begun('one')
      await store.put(secret, { versionId: id(2), text: 'two' }, 'pending')
      const move = { from: id(1), to: id(2) }
      expect(await store.promote(secret, move)).toBe('promoted')
      expect(await currentOf(store)).toMatchObject({ versionId: id(2) })
      expect(await store.promote(secret, move)).toBe('promoted')
      expect(await currentOf(store)).toMatchObject({ versionId: id(2) })
    })

    test('leaves the version of a person in place: the promotion is superseded', async () => {
      const store = await begun('one')
      await store.put(secret, { versionId: id(2), text: 'two' }, 'pending')
      await store.put(secret, { versionId: id(3), text: 'by hand' }, 'current')
      expect(await store.promote(secret, { from: id(1), to: id(2) })).toBe('superseded')
      expect(await currentOf(store)).toMatchObject({ versionId: id(3), text: 'by hand' })
    })

    test('promotes without a word of where the label is only where it is nowhere', async () => {
      const store = await begun('one')
      await store.put(secret, { versionId: id(2), text: 'two' }, 'pending')
      expect(await store.promote(secret, { to: id(2) })).toBe('superseded')
      expect(await currentOf(store)).toMatchObject({ versionId: id(1) })
    })

    test('does not promote what is not there, yet', async () => {
      const store = await begun('one')
      await expect(store.promote(secret, { from: id(1), to: id(2) })).rejects.toMatchObject({
        code: 'ERR_STORE',
        kind: 'retry',
      })
      expect(await currentOf(store)).toMatchObject({ versionId: id(1) })
    })

    test('says of a secret that is not there that the stack wants deploying', async () => {
      const store = await begun()
      const put = store.put(
        'token-rotator/nobody/enrollment',
        { versionId: id(1), text: 'x' },
        'current',
      )
      await expect(put).rejects.toMatchObject({
        code: 'ERR_STORE',
        kind: 'denied',
        message: 'the secret token-rotator/nobody/enrollment does not exist; deploy the stack',
      })
    })

    test('of twenty who write one version lets one win', async () => {
      const store = await begun('one')
      const results = await Promise.all(
        twenty.map((n) => store.put(secret, { versionId: id(2), text: `by ${n}` }, 'pending')),
      )
      expect(results.filter((result) => result === 'stored')).toHaveLength(1)
      expect(results.filter((result) => result === 'conflict')).toHaveLength(19)
      const winner = `by ${results.indexOf('stored')}`
      expect(await store.read(secret, id(2))).toMatchObject({ versionId: id(2), text: winner })
    })

    test('of twenty who promote away from one version lets one win', async () => {
      const store = await begun('one')
      for (const n of twenty) {
        await store.put(secret, { versionId: id(n + 2), text: `by ${n}` }, 'pending')
      }
      const results = await Promise.all(
        twenty.map((n) => store.promote(secret, { from: id(1), to: id(n + 2) })),
      )
      expect(results.filter((result) => result === 'promoted')).toHaveLength(1)
      expect(results.filter((result) => result === 'superseded')).toHaveLength(19)
      const winner = id(results.indexOf('promoted') + 2)
      expect(await currentOf(store)).toMatchObject({ versionId: winner })
    })
  })
}

/** An item in which every member is there. */
export const fullItem: LedgerItem = {
  vendor: 'cisco-ftd',
  connection: 'ftd-hq',
  revision: 1,
  writer: 'run-1',
  fence: 7,
  dueAt: new Date('2026-01-01T00:20:00.500Z'),
  lease: { runId: 'run-1', expiresAt: new Date('2026-01-01T00:05:30Z') },
  intent: {
    grant: 'refresh_token',
    token: 'fingerprint-2',
    versionId: id(2),
    at: new Date('2026-01-01T00:00:00Z'),
    kind: 'probe',
    refused: true,
  },
  spent: ['fingerprint-1', 'fingerprint-2'],
  refused: [{ grant: 'custom_token', credentialId: id(1) }],
  versionId: id(2),
  published: {
    versionId: id(2),
    as: id(3),
    issuedAt: new Date('2026-01-01T00:00:00Z'),
    expiresAt: null,
    held: false,
    where: 'mirror',
    proven: false,
  },
  refreshExpiresAt: new Date('2026-01-01T00:40:00Z'),
  aliveAt: new Date('2026-01-01T00:00:30Z'),
  retireAt: new Date('2026-01-01T00:05:00Z'),
  requested: true,
  ordered: { versionId: id(4), fence: 6 },
  attempts: 3,
  rotations: 12,
  enrollmentWrites: [new Date('2025-12-31T00:00:00Z')],
  consumerWrites: [new Date('2025-12-31T00:00:01Z'), new Date('2026-01-01T00:00:01Z')],
  incident: { id: 'run-0', openedAt: new Date('2025-12-31T23:00:00Z'), told: ['token-at-risk'] },
  incidents: 3,
  facts: { serialNumber: '9A0001' },
  standing: { epoch: 2, region: 'eu-west-1' },
  heard: {
    epoch: 1,
    region: 'eu-central-1',
    fence: 6,
    token: 'fingerprint-1',
    kind: 'probe',
    until: new Date('2026-01-01T00:05:30Z'),
  },
  takingOver: {
    from: { epoch: 1, region: 'eu-central-1' },
    without: ['eu-central-1'],
    settled: true,
  },
  history: [{ at: new Date('2025-12-31T23:00:00Z'), outcome: 'failed' }],
}

/** Conditional writes, kept by every ledger. */
export function ledgerContract(name: string, start: () => Promise<Ledger>): void {
  describe(`ledger, ${name}`, () => {
    test('gives back all that was written', async () => {
      const ledger = await start()
      expect(await ledger.read('cisco-ftd', 'ftd-hq')).toBeUndefined()
      expect(await ledger.write(fullItem)).toBe('written')
      expect(await ledger.read('cisco-ftd', 'ftd-hq')).toEqual(fullItem)
    })

    test('gives back an item that says as little as it can', async () => {
      const ledger = await start()
      const owner = { vendor: 'cisco-ftd', connection: 'ftd-hq' }
      const little = { ...newItem(owner, new Date('2026-01-01T00:00:00Z')), revision: 1 }
      await ledger.write(little)
      expect(await ledger.read('cisco-ftd', 'ftd-hq')).toEqual(little)
    })

    test('takes a revision that follows the stored one, and no other of another run', async () => {
      const ledger = await start()
      const at = (revision: number, writer: string) => ({ ...fullItem, revision, writer })
      expect(await ledger.write(at(2, 'early'))).toBe('conflict')
      expect(await ledger.read('cisco-ftd', 'ftd-hq')).toBeUndefined()
      expect(await ledger.write(at(1, 'one'))).toBe('written')
      expect(await ledger.write(at(1, 'other'))).toBe('conflict')
      expect(await ledger.write(at(3, 'other'))).toBe('conflict')
      expect(await ledger.write(at(2, 'one'))).toBe('written')
      expect(await ledger.write(at(1, 'one'))).toBe('conflict')
      expect(await ledger.read('cisco-ftd', 'ftd-hq')).toMatchObject({ revision: 2, writer: 'one' })
    })

    test('takes the repetition of a write whose answer was lost as written', async () => {
      const ledger = await start()
      expect(await ledger.write(fullItem)).toBe('written')
      expect(await ledger.write(fullItem)).toBe('written')
      const second = { ...fullItem, revision: 2 }
      expect(await ledger.write(second)).toBe('written')
      expect(await ledger.write(second)).toBe('written')
      expect(await ledger.write({ ...second, writer: 'other' })).toBe('conflict')
    })

    test('forgets members that the next revision leaves out', async () => {
      const ledger = await start()
      await ledger.write(fullItem)
      const { lease: _, intent: __, ...rest } = fullItem
      await ledger.write({ ...rest, revision: 2 })
      const stored = await ledger.read('cisco-ftd', 'ftd-hq')
      expect(stored).not.toHaveProperty('lease')
      expect(stored).not.toHaveProperty('intent')
    })

    test.each([1, 2])('of twenty who write revision %i lets one win', async (revision) => {
      const ledger = await start()
      if (revision === 2) await ledger.write(fullItem)
      const results = await Promise.all(
        twenty.map((n) => ledger.write({ ...fullItem, revision, writer: `run-${n + 100}` })),
      )
      expect(results.filter((result) => result === 'written')).toHaveLength(1)
      expect(await ledger.read('cisco-ftd', 'ftd-hq')).toMatchObject({
        revision,
        writer: `run-${results.indexOf('written') + 100}`,
      })
    })

    test('lists what is due of one vendor, soonest first', async () => {
      const ledger = await start()
      const due = (vendor: string, connection: string, dueAt: string) =>
        ledger.write({ ...fullItem, vendor, connection, dueAt: new Date(dueAt) })
      await due('cisco-ftd', 'ftd-b', '2026-01-01T00:20:00.000Z')
      await due('kaspersky-mdr', 'mdr-1', '2026-01-01T00:00:00.000Z')
      await due('cisco-ftd', 'ftd-a', '2026-01-01T00:20:00.001Z')
      await due('cisco-ftd', 'ftd-c', '2025-12-31T23:59:59.000Z')
      expect(await ledger.dues('cisco-ftd')).toEqual([
        { connection: 'ftd-c', dueAt: new Date('2025-12-31T23:59:59.000Z') },
        { connection: 'ftd-b', dueAt: new Date('2026-01-01T00:20:00.000Z') },
        { connection: 'ftd-a', dueAt: new Date('2026-01-01T00:20:00.001Z') },
      ])
      expect(await ledger.dues('oauth2')).toEqual([])
    })
  })
}

/** Parameters by name. */
export function parametersContract(name: string, start: () => Promise<Parameters>): void {
  describe(`parameters, ${name}`, () => {
    const escrow = '/token-rotator/ftd-hq/escrow'

    test('gives what was written last, and nothing once it is removed', async () => {
      const parameters = await start()
      expect(await parameters.read(escrow)).toBeUndefined()
      await parameters.write(escrow, 'one')
      await parameters.write(escrow, 'two')
      expect(await parameters.read(escrow)).toBe('two')
      await parameters.remove(escrow)
      expect(await parameters.read(escrow)).toBeUndefined()
    })

    test('removes what is not there without complaint', async () => {
      const parameters = await start()
      await parameters.remove(escrow)
    })

    test('keeps each name apart', async () => {
      const parameters = await start()
      await parameters.write(escrow, 'ours')
      await parameters.write('/token-rotator/ftd-dc/escrow', 'theirs')
      await parameters.remove('/token-rotator/ftd-dc/escrow')
      expect(await parameters.read(escrow)).toBe('ours')
    })

    test('takes a pair of 8 KB', async () => {
      const parameters = await start()
      await parameters.write(escrow, 'x'.repeat(8192))
      expect(await parameters.read(escrow)).toHaveLength(8192)
    })
  })
}
