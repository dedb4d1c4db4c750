import { describe, expect, test } from 'vitest'
import { introspect, keepAlive } from '../../lib/core/ask.ts'
import type { Enrollment } from '../../lib/core/documents.ts'
import { TransportError } from '../../lib/core/errors.ts'
import type { Intent } from '../../lib/core/ledger.ts'
import type { Held } from '../../lib/core/publish.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { VendorClient } from '../../lib/core/vendor.ts'
import { openRun } from './open-run.ts'
import { mdrWorld } from './world.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const tokens = {
  accessToken: new Redacted('access-1'),
  tokenType: 'Bearer',
  issuedAt: t0,
  expiresAt: null,
  refreshToken: new Redacted('refresh-1'),
  grant: 'refresh_token',
}
const held: Enrollment & Held = {
  versionId: 'version-1',
  credential: {},
  credentialId: 'version-0',
  tokens,
  superseded: [],
}
const client = (calls: Partial<VendorClient>): VendorClient => ({
  grants: [],
  headers: () => ({}),
  close: async () => {},
  ...calls,
})

describe('asking the vendor what a doubtful refresh token is worth', () => {
  const intent: Intent = {
    grant: 'refresh_token',
    token: 'fingerprint-1',
    versionId: 'version-1',
    at: t0,
    kind: 'first',
    refused: false,
  }
  const asked = async (answer: () => Promise<'active' | 'inactive'>) => {
    const context = await openRun(mdrWorld(), { item: { intent } })
    await introspect(held, client({ introspect: answer }), context)
    return context.ledger.item.intent
  }

  test('has what it says on record', async () => {
    expect(await asked(async () => 'active')).toEqual({ ...intent, active: true })
    expect(await asked(async () => 'inactive')).toEqual({ ...intent, refused: true })
  })

  test('leaves all as it is if the vendor cannot be asked', async () => {
    const unreachable = () => Promise.reject(new TransportError('unreachable', 'no'))
    expect(await asked(unreachable)).toEqual(intent)
  })

  test('does not hide an error of unknown origin', async () => {
    const broken = new RangeError('a mistake in an adapter')
    await expect(asked(() => Promise.reject(broken))).rejects.toBe(broken)
  })
})

test('a sign of life that names no certificates leaves those on record', async () => {
  const certificates = [{ name: 'server', notAfter: t0 }]
  const context = await openRun(mdrWorld(), { item: { certificates } })
  expect(await keepAlive(held, client({ keepAlive: async () => ({}) }), context)).toEqual({})
  expect(context.ledger.item).toMatchObject({ certificates, aliveAt: t0 })
})
