import { describe, expect, test } from 'vitest'
import { ResponseError, VerifyFailedError } from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import type { TokenSet, VendorClient } from '../../lib/core/vendor.ts'
import { mayPublish, noticed, verify } from '../../lib/core/verify.ts'

const issuedAt = new Date('2026-01-01T00:00:00Z')
const expiresAt = new Date('2026-01-01T01:00:00Z')
const justBefore = (instant: Date) => new Date(instant.getTime() - 1)
const tokens: TokenSet = {
  accessToken: new Redacted('access-1'),
  tokenType: 'Bearer',
  issuedAt,
  expiresAt,
  grant: 'refresh_token',
}
const call = { now: issuedAt, timeoutSeconds: 10, known: {} }
const client = (verify?: VendorClient['verify']): VendorClient => ({
  grants: [],
  headers: () => ({}),
  close: async () => {},
  ...(verify === undefined ? {} : { verify }),
})

describe('asking the vendor about a token', () => {
  test('believes a vendor that has no such call', async () => {
    expect(await verify(client(), tokens, call)).toEqual({ verdict: 'good', verified: {} })
  })

  test('gives what the vendor said beside that it works', async () => {
    const said = { warning: 'another unit answers' }
    expect(
      await verify(
        client(async () => said),
        tokens,
        call,
      ),
    ).toEqual({ verdict: 'good', verified: said })
  })

  test.each([
    ['the vendor refuses it', new VerifyFailedError('no', true), 'rejected'],
    ['it could not be found out', new VerifyFailedError('unknown', false), 'inconclusive'],
    ['the answer is odd', new ResponseError('odd', { status: 500 }), 'inconclusive'],
  ])('is told apart: %s', async (_title, error, verdict) => {
    const asked = verify(
      client(() => Promise.reject(error)),
      tokens,
      call,
    )
    expect(await asked).toEqual({ verdict, error })
  })

  test('does not swallow an error of unknown origin', async () => {
    const bug = new TypeError('bug')
    await expect(
      verify(
        client(() => Promise.reject(bug)),
        tokens,
        call,
      ),
    ).rejects.toBe(bug)
  })
})

describe('a new token goes out to consumers', () => {
  const published = {
    versionId: 'v',
    issuedAt,
    expiresAt,
    held: true,
    where: 'secret',
    proven: true,
  } as const
  const may = (
    verdict: 'good' | 'rejected' | 'inconclusive',
    now: Date,
    over: typeof published | undefined | { expiresAt: null } = published,
  ) => mayPublish(verdict, over && { ...published, ...over }, now, defaultTimings)
  const nearlyOut = new Date('2026-01-01T00:52:30Z')

  test('always if it is proven, or if they have none', () => {
    expect(may('good', issuedAt)).toBe(true)
    expect(mayPublish('rejected', undefined, issuedAt, defaultTimings)).toBe(true)
  })

  test('if it was rejected, only once the published one is dead', () => {
    expect(may('rejected', justBefore(expiresAt))).toBe(false)
    expect(may('rejected', expiresAt)).toBe(true)
  })

  test('if it could not be asked about, once the published one is nearly out', () => {
    expect(may('inconclusive', justBefore(nearlyOut))).toBe(false)
    expect(may('inconclusive', nearlyOut)).toBe(true)
  })

  test('in place of a session without an end, unless it was rejected', () => {
    expect(may('inconclusive', issuedAt, { expiresAt: null })).toBe(true)
    expect(may('rejected', issuedAt, { expiresAt: null })).toBe(false)
  })
})

describe('a certificate that a connection depends on', () => {
  const notAfter = new Date('2026-03-01T00:00:00Z')
  const daysBefore = (days: number, ms = 0) => new Date(notAfter.getTime() - days * 86_400_000 + ms)
  const near = (now: Date, known = {}) =>
    noticed({ certificates: [{ name: 'server', notAfter }] }, known, now)

  test.each([
    ['30 days', 30, 30],
    ['7 days', 7, 7],
    ['a day', 1, 1],
  ])('is told of from %s before its end', (_title, distance, days) => {
    expect(near(daysBefore(distance, 1))).toEqual({
      expiring: [{ name: 'server', notAfter, days }],
    })
    expect(near(daysBefore(distance)).expiring.map(({ days }) => days)).not.toContain(days)
  })

  test('is told of once for each distance, and anew if it is replaced', () => {
    const told = { 'certificate server': '7 days before 2026-03-01T00:00:00.000Z' }
    expect(near(daysBefore(5), told)).toEqual({ expiring: [] })
    expect(near(daysBefore(0.5), told).expiring).toHaveLength(1)
    const former = { 'certificate server': '7 days before 2026-02-01T00:00:00.000Z' }
    expect(near(daysBefore(5), former).expiring).toHaveLength(1)
  })

  test('that has ended is told of as well', () => {
    expect(near(daysBefore(-1)).expiring).toEqual([{ name: 'server', notAfter, days: 1 }])
  })

  test('or none: then there is nothing to tell, but for a warning', () => {
    expect(noticed({}, {}, issuedAt)).toEqual({ expiring: [] })
    expect(noticed({ warning: 'odd' }, {}, issuedAt)).toEqual({ expiring: [], warning: 'odd' })
  })
})
