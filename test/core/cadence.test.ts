import { describe, expect, test } from 'vitest'
import { checkCadence } from '../../lib/core/cadence.ts'
import type { Connection } from '../../lib/core/connection.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { defaultTimings, renewAt } from '../../lib/core/renewal.ts'
import type { Vendor } from '../../lib/core/vendor.ts'
import { ciscoFtd } from '../../lib/vendors/cisco-ftd.ts'

type Spends = ReturnType<Vendor['spends']>

function vendor(spends: Spends, lifetimeSeconds: number): Vendor {
  return { ...ciscoFtd, spends: () => spends, accessLifetimeSeconds: () => lifetimeSeconds }
}

function check(spends: Spends, lifetimeSeconds: number, everySeconds?: number) {
  const connection: Connection = {
    id: 'ftd-hq',
    vendor: 'cisco-ftd',
    options: {},
    ...(everySeconds === undefined ? {} : { renew: { everySeconds } }),
  }
  return checkCadence(connection, vendor(spends, lifetimeSeconds), 'connections[1]')
}

describe('a vendor whose usual grant spends a refresh token', () => {
  test.each([600, 700, 863])('may not be renewed every %i s', (everySeconds) => {
    expect(() => check('refresh-token', 3600, everySeconds)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG',
        field: 'connections[1].renew.everySeconds',
        message: expect.stringMatching(
          `found ${everySeconds}; allowed for cisco-ftd is 864 or more`,
        ),
      }),
    )
  })

  test('is told the arithmetic of the refusal', () => {
    expect(() => check('refresh-token', 3600, 700)).toThrow(
      '124 versions a day (86400 / 700), and Secrets Manager may refuse more than 100',
    )
  })

  test('may be renewed every 864 s', () => {
    expect(check('refresh-token', 3600, 864)).toBeUndefined()
  })

  test('may not ask for tokens whose earliest renewal comes before 864 s', () => {
    expect(() => check('refresh-token', 1364)).toThrow(
      'connections[1]: found access tokens of 1364 s, renewed every 863 s at the earliest; allowed for cisco-ftd is tokens of 1365 s or more',
    )
    expect(check('refresh-token', 1365)).toBeUndefined()
  })

  test('may wish for less than its tokens demand without effect', () => {
    expect(check('refresh-token', 1800, 86_400)).toBeUndefined()
  })
})

describe('a vendor whose grants spend nothing', () => {
  test('is warned of every 700 s, with the arithmetic', () => {
    expect(check('nothing', 3600, 700)).toBe(
      'connections[1].renew.everySeconds: found 700, that is 124 versions a day (86400 / 700), and Secrets Manager may refuse more than 100: it writes to a parameter beside the secret when that happens',
    )
  })

  test('is told of its own wish where that is as often as its tokens demand', () => {
    expect(check('nothing', 900, 600)).toContain('connections[1].renew.everySeconds: found 600')
  })

  test('may hold tokens of 15 minutes, with a warning', () => {
    expect(check('nothing', 900)).toContain('found access tokens of 900 s, renewed every 600 s')
  })

  test('is warned of its tokens although it wishes for less', () => {
    expect(check('nothing', 900, 3600)).toContain('renewed every 600 s at the earliest')
  })

  test('hears nothing of every 864 s', () => {
    expect(check('nothing', 3600, 864)).toBeUndefined()
  })
})

test.each(['nothing', 'refresh-token'] as const)(
  'tokens that must be renewed within ten minutes are refused, whatever is spent (%s)',
  (spends) => {
    expect(() => check(spends, 898)).toThrow(
      'connections[1]: found access tokens of 898 s, renewed every 599 s; allowed are tokens of 900 s or more: a secret may be written once in 600 s, 144 versions a day (86400 / 600)',
    )
  },
)

test('a session that is kept alive may be as short as it likes, but not be renewed too often', () => {
  const kept: Vendor = { ...vendor('nothing', 180), idleSeconds: 180 }
  const connection: Connection = { id: 'ksc', vendor: 'cisco-ftd', options: {} }
  expect(checkCadence(connection, kept, 'connections[0]')).toBeUndefined()
  const often = { ...connection, renew: { everySeconds: 700 } }
  expect(checkCadence(often, kept, 'connections[0]')).toContain('found 700')
})

test('no connection is renewed sooner than the check reckons with', () => {
  const issuedAt = new Date('2026-01-01T00:00:00Z')
  const expiresAt = new Date('2026-01-01T00:22:45Z')
  const tokens = { accessToken: new Redacted('token'), issuedAt, expiresAt }
  for (let index = 0; index < 1000; index++) {
    const due = renewAt({ id: `ftd-${index}` }, tokens, defaultTimings)
    expect(due.getTime() - issuedAt.getTime()).toBeGreaterThanOrEqual(864_000)
  }
})
