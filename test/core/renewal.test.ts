import { describe, expect, test } from 'vitest'
import {
  backoffSeconds,
  defaultTimings,
  earliest,
  jitterOf,
  later,
  latest,
  marginSeconds,
  nearlyOutAt,
  renewAt,
  renewalSeconds,
  versionBudget,
  withinWindow,
} from '../../lib/core/renewal.ts'

const issuedAt = new Date('2026-01-01T00:00:00Z')
const secondsOn = (seconds: number) => new Date(issuedAt.getTime() + seconds * 1000)
const due = (id: string, expiresIn: number, extra: object = {}) =>
  (renewAt(
    { id, ...extra },
    { issuedAt, expiresAt: secondsOn(expiresIn) },
    defaultTimings,
  ).getTime() -
    issuedAt.getTime()) /
  60_000

describe('the time of renewal', () => {
  test.each([
    { life: '15 min', seconds: 900, margin: 300 },
    { life: '30 min', seconds: 1800, margin: 600 },
    { life: '1 h', seconds: 3600, margin: 900 },
    { life: '10 h', seconds: 36_000, margin: 9000 },
  ])('leaves a margin of $margin s to a token of $life', ({ seconds, margin }) => {
    expect(marginSeconds(seconds, defaultTimings)).toBe(margin)
  })

  test('is earlier by up to a tenth of the margin, always the same for one connection', () => {
    for (const id of ['a', 'mdr-prod', 'ftd-hq', 'x-9']) {
      expect(due(id, 3600)).toBeLessThanOrEqual(45)
      expect(due(id, 3600)).toBeGreaterThan(43.5)
      expect(due(id, 3600)).toBe(due(id, 3600))
    }
    expect(jitterOf('mdr-prod')).not.toBe(jitterOf('ftd-hq'))
  })

  test('leaves ten minutes between two versions, jitter or not, where the life allows it', () => {
    for (const id of ['a', 'mdr-prod', 'ftd-hq', 'x-9']) expect(due(id, 900)).toBe(10)
  })

  test('comes sooner if the connection says so, never later', () => {
    expect(due('a', 36_000, { renew: { everySeconds: 3600 } })).toBe(60)
    expect(due('a', 1800, { renew: { everySeconds: 36_000 } })).toBeLessThanOrEqual(20)
  })

  test('respects the end of the refresh token as a second deadline', () => {
    const tokens = { issuedAt, expiresAt: secondsOn(36_000), refreshExpiresAt: secondsOn(2400) }
    expect(renewAt({ id: 'a' }, tokens, defaultTimings) < secondsOn(1800)).toBe(true)
  })

  test('is at once when nothing is held, and never for a session that is kept alive', () => {
    expect(renewAt({ id: 'a' }, {}, defaultTimings).getTime()).toBe(0)
    const kept = renewAt({ id: 'a' }, { issuedAt, expiresAt: null }, defaultTimings)
    expect(kept > new Date('9999-01-01T00:00:00Z')).toBe(true)
  })

  test('is at once for a token of which either instant is missing', () => {
    expect(renewAt({ id: 'a' }, { issuedAt }, defaultTimings).getTime()).toBe(0)
    const expiresAt = secondsOn(3600)
    expect(renewAt({ id: 'a' }, { expiresAt }, defaultTimings).getTime()).toBe(0)
  })

  test('is a tenth of the margin earlier at most, and ten minutes after the issue at least', () => {
    expect(renewalSeconds(3600, 0, defaultTimings)).toBe(2700)
    expect(renewalSeconds(3600, 1, defaultTimings)).toBe(2610)
    expect(renewalSeconds(900, 1, defaultTimings)).toBe(600)
    expect(renewalSeconds(300, 1, defaultTimings)).toBe(200)
  })

  test('spreads by the connection’s own share, which is the same on every machine', () => {
    expect(jitterOf('any-1')).toBeCloseTo(0.208_563, 6)
    expect(due('any-1', 3600)).toBeCloseTo(44.687_15, 4)
  })

  test('of a session comes with the end of its refresh token', () => {
    const tokens = { issuedAt, expiresAt: null, refreshExpiresAt: secondsOn(900) }
    expect(renewAt({ id: 'a' }, tokens, defaultTimings)).toEqual(secondsOn(600))
  })

  test('is earlier if the vendor wishes so, never later', () => {
    const wished = (seconds: number) =>
      renewAt(
        { id: 'a' },
        { issuedAt, expiresAt: secondsOn(900), renewAt: secondsOn(seconds) },
        defaultTimings,
      )
    expect(wished(60)).toEqual(secondsOn(60))
    expect(wished(800)).toEqual(secondsOn(600))
  })

  test('a session without an end is never nearly out', () => {
    const at = nearlyOutAt({ issuedAt, expiresAt: null }, defaultTimings)
    expect(at > new Date('9999-01-01T00:00:00Z')).toBe(true)
  })

  test('half a margin before its end a token is nearly out', () => {
    expect(nearlyOutAt({ issuedAt, expiresAt: secondsOn(3600) }, defaultTimings)).toEqual(
      secondsOn(3150),
    )
  })
})

describe('repetition', () => {
  test('waits 1, 2, 4, 8 and then 15 minutes, less a tenth at most', () => {
    for (const [index, seconds] of [60, 120, 240, 480, 900, 900].entries()) {
      const wait = backoffSeconds(index + 1, 'mdr-prod', defaultTimings)
      expect(wait).toBeLessThanOrEqual(seconds)
      expect(wait).toBeGreaterThanOrEqual(seconds * 0.9)
    }
    expect(backoffSeconds(1, 'any-1', defaultTimings)).toBeCloseTo(58.748_62, 4)
  })

  test('waits a minute where nothing has failed yet', () => {
    expect(backoffSeconds(0, 'any-1', defaultTimings)).toBeCloseTo(58.748_62, 4)
  })

  test('does not wait where no wait is given', () => {
    expect(backoffSeconds(3, 'any-1', { ...defaultTimings, backoffSeconds: [] })).toBe(0)
  })
})

describe('an instant', () => {
  test('is the earliest of those that there are', () => {
    const [one, other] = [secondsOn(1), secondsOn(2)]
    expect(earliest(other, undefined, one)).toEqual(one)
    expect(earliest(undefined)).toBeUndefined()
    expect(earliest()).toBeUndefined()
  })

  test('is the latest of two', () => {
    const [one, other] = [secondsOn(1), secondsOn(2)]
    expect(latest(one, other)).toEqual(other)
    expect(latest(other, one)).toEqual(other)
  })

  test('may lie before another by a negative number of seconds', () => {
    expect(later(issuedAt, -1.5)).toEqual(new Date('2025-12-31T23:59:58.500Z'))
  })
})

describe('the version budget', () => {
  test('forgets a version once it is 24 hours old', () => {
    const [old, young] = [secondsOn(0), secondsOn(0.001)]
    expect(withinWindow([old, young], secondsOn(86_400), defaultTimings)).toEqual([young])
  })

  test('is 100 versions in 24 hours, two of them in reserve', () => {
    const writes = (count: number, hoursAgo: number) =>
      Array.from({ length: count }, () => secondsOn(-hoursAgo * 3600))
    expect(versionBudget([], issuedAt, defaultTimings)).toBe(98)
    expect(versionBudget(writes(98, 1), issuedAt, defaultTimings)).toBe(0)
    expect(versionBudget(writes(98, 25), issuedAt, defaultTimings)).toBe(98)
    expect(versionBudget(writes(120, 1), issuedAt, defaultTimings)).toBe(0)
  })
})
