import { describe, expect, test } from 'vitest'
import { staleAt } from '../../lib/core/freshness.ts'
import type { Incident } from '../../lib/core/incident.ts'
import { type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import { measure, metricNamespace, outcomeCode } from '../../lib/core/measure.ts'
import { defaultTimings, nearlyOutAt } from '../../lib/core/renewal.ts'
import { kicsWorld } from './kics-world.ts'
import { kscWorld, mdrWorld } from './world.ts'

const now = new Date('2026-01-01T00:00:00Z')
const at = (minutes: number) => new Date(now.getTime() + minutes * 60_000)

const hour: NonNullable<LedgerItem['published']> = {
  versionId: 'version-1',
  issuedAt: at(-20),
  expiresAt: at(40),
  held: true,
  where: 'secret',
  proven: true,
}
const incident = (...told: Incident['told']) => ({ id: 'i', openedAt: now, told })

/** The standing of a connection whose item holds this beside what a new one does. */
function standing(item: Partial<LedgerItem>, idleSeconds?: number) {
  const owner = { vendor: 'kaspersky-mdr', connection: 'mdr-prod' }
  const vendor = idleSeconds === undefined ? {} : { idleSeconds }
  return measure({ ...newItem(owner, now), ...item }, vendor, now, defaultTimings)
}

test('dashboards and alarms find the metrics by the namespace that they always had', () => {
  expect(metricNamespace).toBe('TokenRotator')
})

test('a token without an end, of a vendor that names no silence, is never stale', () => {
  const published = { ...hour, expiresAt: null }
  expect(staleAt({ published }, {}, defaultTimings)).toEqual(nearlyOutAt(published, defaultTimings))
})

test('a connection that has published nothing has no freshness to measure', () => {
  expect(standing({})).toEqual({ TokenAtRisk: 0, EnrollmentRequired: 0, VersionBudgetLeft: 98 })
})

describe('freshness', () => {
  test('is what the token has left, and what it has before half of its margin is gone', () => {
    // Of an hour the margin is fifteen minutes.
    expect(standing({ published: hour })).toMatchObject({
      SecondsToExpiry: 2400,
      SecondsToStale: 1950,
    })
  })

  test('is below zero once it is over', () => {
    expect(
      standing({ published: { ...hour, expiresAt: at(-1), issuedAt: at(-61) } }),
    ).toMatchObject({ SecondsToExpiry: -60, SecondsToStale: -510 })
  })

  test('of a session is what it lives on without another sign of life', () => {
    const published = { ...hour, expiresAt: null }
    expect(standing({ published, aliveAt: at(-1) }, 180)).toMatchObject({
      SecondsToExpiry: 120,
      SecondsToStale: 120,
    })
    expect(standing({ published })).not.toHaveProperty('SecondsToExpiry')
    expect(standing({ published })).not.toHaveProperty('SecondsToStale')
  })

  test('of the refresh token is known where the vendor tells its end', () => {
    expect(standing({ refreshExpiresAt: at(2) })).toMatchObject({ RefreshSecondsToExpiry: 120 })
    expect(standing({})).not.toHaveProperty('RefreshSecondsToExpiry')
  })
})

test('a region that stands by has no freshness of its own, and needs nobody', () => {
  const owner = { vendor: 'kaspersky-mdr', connection: 'mdr-prod' }
  const told = incident('token-at-risk', 'enrollment-required')
  const once = { ...newItem(owner, now), published: hour, incident: told }
  const seen = (region: string, own?: string) =>
    measure({ ...once, standing: { epoch: 9, region } }, {}, now, defaultTimings, own)
  const quiet = { TokenAtRisk: 0, EnrollmentRequired: 0, VersionBudgetLeft: 98 }
  expect(seen('eu-west-1', 'eu-central-1')).toEqual(quiet)
  const session = { ...once, published: { ...hour, expiresAt: null }, aliveAt: at(-1) }
  const standing = { epoch: 9, region: 'eu-west-1' }
  const idle = { idleSeconds: 180 }
  expect(measure({ ...session, standing }, idle, now, defaultTimings, 'eu-central-1')).toEqual(
    quiet,
  )
  const atWork = { SecondsToExpiry: 2400, TokenAtRisk: 1, EnrollmentRequired: 1 }
  expect(seen('eu-west-1', 'eu-west-1')).toMatchObject(atWork)
  expect(seen('eu-west-1')).toMatchObject(atWork)
  expect(measure(once, {}, now, defaultTimings, 'eu-west-1')).toMatchObject(atWork)
})

describe('what a person is needed for', () => {
  const history = [{ at: now, outcome: 'blocked', cause: 'token-at-risk' }] as const

  test('is measured while the incident that told of it is open', () => {
    const told = incident('token-at-risk', 'enrollment-required')
    expect(standing({ incident: told })).toMatchObject({ TokenAtRisk: 1, EnrollmentRequired: 1 })
    expect(standing({ incident: incident('verify-failed') })).toMatchObject({
      TokenAtRisk: 0,
      EnrollmentRequired: 0,
    })
  })

  test('is measured although nobody could be told, from the last run', () => {
    expect(standing({ incident: incident(), history })).toMatchObject({
      TokenAtRisk: 1,
      EnrollmentRequired: 0,
    })
    const since = [...history, { at: now, outcome: 'rotated' }]
    expect(standing({ history: since })).toMatchObject({ TokenAtRisk: 0 })
  })
})

test('the version budget is that of the fuller secret, within the window', () => {
  const writes = (count: number, minutes: number) =>
    Array.from({ length: count }, () => at(minutes))
  expect(
    standing({ consumerWrites: writes(60, -9), enrollmentWrites: writes(40, -9) }),
  ).toMatchObject({ VersionBudgetLeft: 38 })
  expect(standing({ enrollmentWrites: writes(99, -9) })).toMatchObject({ VersionBudgetLeft: 0 })
  expect(standing({ enrollmentWrites: writes(99, -1440) })).toMatchObject({ VersionBudgetLeft: 98 })
})

test('of several certificates the first to end counts, in days', () => {
  const certificates = [
    { name: 'client', notAfter: new Date('2026-01-31T12:00:00Z') },
    { name: 'server', notAfter: new Date('2026-03-01T00:00:00Z') },
  ]
  expect(standing({ certificates })).toMatchObject({ CertificateDaysLeft: 30.5 })
  expect(standing({ certificates: [] })).not.toHaveProperty('CertificateDaysLeft')
})

describe('a run leaves in the ledger what is measured', () => {
  test('of certificates, at a rotation', async () => {
    const world = kicsWorld()
    await world.minutes(1)
    expect(world.item().certificates).toEqual([
      { name: expect.any(String), notAfter: expect.any(Date) },
    ])
  })

  test('of certificates, when a session is asked to live on', async () => {
    const world = kscWorld()
    await world.minutes(1)
    await world.ports.ledger.write({
      ...world.item(),
      revision: world.item().revision + 1,
      certificates: [],
    })
    await world.minutes(1)
    expect(world.item().history.at(-1)?.outcome).toBe('kept-alive')
    expect(world.item().certificates).toHaveLength(1)
  })

  test('of freshness, which begins anew at each rotation', async () => {
    const world = mdrWorld()
    await world.minutes(1)
    const { issuedAt, expiresAt } = world.item().published ?? hour
    expect((Number(expiresAt) - Number(issuedAt)) / 1000).toBe(3600)
    expect(measure(world.item(), world.vendor, issuedAt, defaultTimings)).toMatchObject({
      SecondsToExpiry: 3600,
      SecondsToStale: 3150,
      RefreshSecondsToExpiry: 604_800,
      VersionBudgetLeft: 97,
    })
  })
})

test('outcomes are counted by the code of the error, else by their name', () => {
  const error = { code: 'ERR_TRANSPORT', message: 'no answer' }
  const codes = [
    outcomeCode({ connection: 'a', outcome: 'failed', error }),
    outcomeCode({ connection: 'a', outcome: 'blocked', error }),
    outcomeCode({ connection: 'a', outcome: 'blocked', cause: 'token-at-risk' }),
    // The token is out; that the ledger did not take the outcome is not what became of it.
    outcomeCode({ connection: 'a', outcome: 'rotated', error }),
    outcomeCode({ connection: 'a', outcome: 'lease-held' }),
  ]
  expect(codes).toEqual(['ERR_TRANSPORT', 'ERR_TRANSPORT', 'blocked', 'rotated', 'lease-held'])
})
