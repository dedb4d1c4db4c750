import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Decision, decide, type Situation } from '../../lib/core/decide.ts'
import type { Enrollment } from '../../lib/core/documents.ts'
import { fingerprint, type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { defaultTimings, nearlyOutAt } from '../../lib/core/renewal.ts'
import type { Grant, HeldTokens } from '../../lib/core/vendor.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const at = (minutes: number) => new Date(t0.getTime() + minutes * 60_000)
const connection = { id: 'any-1' }

const grant = (name: string, spends: Grant['spends'], usable: Grant['usable']): Grant => ({
  name,
  spends,
  usable,
  request: () => Promise.reject(new Error('decide asks nobody')),
})
const refresh = grant('refresh_token', 'refresh-token', (held) => held.refreshToken !== undefined)
const password = grant('password', 'nothing', () => true)

const minute = fc.integer({ min: -120, max: 240 })
const situation: fc.Arbitrary<Situation> = fc
  .record({
    grants: fc.constantFrom<readonly Grant[]>([refresh], [refresh, password], [password], []),
    hasRefresh: fc.boolean(),
    hasAccess: fc.boolean(),
    isSent: fc.boolean(),
    intent: fc.option(
      fc.record({
        at: minute,
        kind: fc.constantFrom<'first' | 'probe'>('first', 'probe'),
        refused: fc.boolean(),
        isActive: fc.boolean(),
        isOther: fc.boolean(),
      }),
    ),
    isSession: fc.boolean(),
    idleSeconds: fc.constantFrom(undefined, 180),
    aliveAt: fc.option(minute),
    published: fc.option(
      fc.record({
        versionId: fc.constantFrom('version-1', 'version-0'),
        held: fc.boolean(),
        where: fc.constantFrom<'secret' | 'mirror'>('secret', 'mirror'),
        proven: fc.boolean(),
      }),
    ),
    refusedPassword: fc.boolean(),
    now: minute,
    writes: fc.constantFrom(0, 97, 98, 120),
    forced: fc.boolean(),
    canIntrospect: fc.boolean(),
    retireAt: fc.option(minute),
  })
  .map((drawn) => {
    const refreshToken = new Redacted('refresh-1')
    const token = fingerprint(connection.id, refreshToken)
    const tokens: HeldTokens = {
      ...(drawn.hasRefresh ? { refreshToken } : {}),
      ...(drawn.hasAccess
        ? {
            accessToken: new Redacted('access-1'),
            tokenType: 'Bearer',
            issuedAt: t0,
            expiresAt: drawn.isSession ? null : at(60),
            grant: 'refresh_token',
          }
        : {}),
    }
    const held: Enrollment = {
      versionId: 'version-1',
      credential: {},
      credentialId: 'version-0',
      tokens,
      superseded: [],
      fence: 1,
    }
    const item: LedgerItem = {
      ...newItem({ vendor: 'any', connection: connection.id }, t0),
      spent: drawn.isSent ? [token] : [],
      refused: drawn.refusedPassword ? [{ grant: 'password', credentialId: 'version-0' }] : [],
      enrollmentWrites: Array.from({ length: drawn.writes }, () => at(drawn.now - 1)),
      ...(drawn.intent === null
        ? {}
        : {
            intent: {
              grant: 'refresh_token',
              token: drawn.intent.isOther ? 'another' : token,
              versionId: 'version-1',
              at: at(drawn.intent.at),
              kind: drawn.intent.kind,
              refused: drawn.intent.refused,
              ...(drawn.intent.isActive ? { active: true } : {}),
            },
          }),
      ...(drawn.published === null
        ? {}
        : {
            published: {
              ...drawn.published,
              issuedAt: t0,
              expiresAt: drawn.isSession ? null : at(60),
            },
          }),
      ...(drawn.aliveAt === null ? {} : { aliveAt: at(drawn.aliveAt) }),
      ...(drawn.retireAt === null ? {} : { retireAt: at(drawn.retireAt) }),
    }
    const { grants, forced, canIntrospect, idleSeconds } = drawn
    const now = at(drawn.now)
    const asked = { now, forced, canIntrospect, idleSeconds }
    return { connection, grants, held, item, ...asked, timings: defaultTimings }
  })

function isSpending(decision: Decision): decision is Extract<Decision, { do: 'renew' }> {
  return decision.do === 'renew' && decision.grant.spends === 'refresh-token'
}

function isSent({ held, item }: Situation): boolean {
  const { refreshToken } = held.tokens
  return refreshToken !== undefined && item.spent.includes(fingerprint(connection.id, refreshToken))
}

describe('whatever the situation, the decision', () => {
  const holds = (property: (drawn: Situation, decision: Decision) => void) =>
    fc.assert(
      fc.property(situation, (drawn) => property(drawn, decide(drawn))),
      { numRuns: 1500, seed: 20260101 },
    )

  test('sends a token that was sent before only as the one probe, or if the vendor calls it active; never if it was refused', () => {
    holds((drawn, decision) => {
      if (!isSpending(decision) || !isSent(drawn)) return
      const { intent } = drawn.item
      expect(intent?.refused).toBe(false)
      expect(decision.probe).toBe(intent?.active !== true)
      if (decision.probe) expect(intent?.kind).toBe('first')
    })
  })

  test('probes only when the published token is nearly out and the first sending is long over', () => {
    holds(({ item, now }, decision) => {
      if (!isSpending(decision) || !decision.probe) return
      if (item.published) expect(now >= nearlyOutAt(item.published, defaultTimings)).toBe(true)
      expect(now.getTime() - (item.intent?.at.getTime() ?? 0)).toBeGreaterThanOrEqual(110_000)
    })
  })

  test('prefers a grant that spends nothing to a probe', () => {
    holds((drawn, decision) => {
      const hasPassword = drawn.grants.includes(password) && drawn.item.refused.length === 0
      if (hasPassword && isSpending(decision)) expect(decision.probe).toBe(false)
    })
  })

  test('presents no refused credential again', () => {
    holds(({ item }, decision) => {
      if (item.refused.length > 0 && decision.do === 'renew') {
        expect(decision.grant).not.toBe(password)
      }
    })
  })

  test('spends nothing without room for the version that would hold the answer', () => {
    holds(({ item }, decision) => {
      if (isSpending(decision)) expect(item.enrollmentWrites.length).toBeLessThan(98)
    })
  })

  test('renews before it is due only if somebody asked', () => {
    holds(({ held, forced, now }, decision) => {
      if (decision.do !== 'renew' || held.tokens.accessToken === undefined || forced) return
      expect(held.tokens.expiresAt).not.toBeNull()
      expect(now >= at(43)).toBe(true)
    })
  })

  test('does not put off what somebody asked for', () => {
    holds(({ forced }, decision) => {
      if (forced) expect(decision.do).not.toBe('skip')
    })
  })

  test('never sends what is dead to consumers, nor what they have already', () => {
    holds(({ held, item, now }, decision) => {
      if (decision.do !== 'publish') return
      const { accessToken, expiresAt } = held.tokens
      expect(accessToken).toBeDefined()
      expect(expiresAt === null || (expiresAt !== undefined && expiresAt > now)).toBe(true)
      const { versionId, where, proven } = item.published ?? {}
      expect([versionId, where, proven]).not.toEqual(['version-1', 'secret', true])
    })
  })

  test('asks only sessions to live on, and only those that were silent for 45 seconds', () => {
    holds(({ held, item, idleSeconds, now }, decision) => {
      if (decision.do !== 'keep-alive') return
      expect(idleSeconds).toBe(180)
      expect(held.tokens.expiresAt).toBeNull()
      expect(now.getTime() - (item.aliveAt ?? t0).getTime()).toBeGreaterThanOrEqual(45_000)
    })
  })

  test('ends superseded sessions no sooner than their time', () => {
    holds(({ item, now }, decision) => {
      if (decision.do !== 'retire') return
      expect(item.retireAt).toBeDefined()
      expect(now >= (item.retireAt ?? now)).toBe(true)
    })
  })

  test('asks the vendor only about a token in doubt, once its answer can no longer come', () => {
    holds((drawn, decision) => {
      if (decision.do !== 'introspect') return
      expect(drawn.canIntrospect && isSent(drawn)).toBe(true)
      expect(drawn.item.intent).toMatchObject({ refused: false })
      expect(drawn.item.intent?.active).toBeUndefined()
      const sentAt = drawn.item.intent?.at.getTime() ?? 0
      expect(drawn.now.getTime() - sentAt).toBeGreaterThanOrEqual(110_000)
    })
  })

  test('that waits says until when, or why a person is needed', () => {
    holds(({ now }, decision) => {
      if (decision.do === 'skip') expect(decision.until > now).toBe(true)
      if (decision.do !== 'blocked') return
      expect(decision.cause ?? decision.until).toBeDefined()
      if (decision.until !== undefined) expect(decision.until > now).toBe(true)
    })
  })

  test('depends on nothing but the situation', () => {
    holds((drawn, decision) => {
      expect(decide(drawn)).toEqual(decision)
    })
  })

  test('names a cause and an action a person understands whenever it is blocked', () => {
    holds((_drawn, decision) => {
      if (decision.do === 'blocked') expect(decision.message).toMatch(/\w{3}/)
    })
  })
})
