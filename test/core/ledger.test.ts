import { describe, expect, test } from 'vitest'
import {
  acquired,
  declared,
  distrusted,
  doubtMoved,
  extended,
  fingerprint,
  type Intent,
  isHandedBack,
  isLeased,
  newItem,
  refusedGrant,
  refusedIntent,
  released,
  settled,
  stillActive,
} from '../../lib/core/ledger.ts'
import { Redacted } from '../../lib/core/redacted.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const t1 = new Date('2026-01-01T00:05:00Z')
const fresh = newItem({ vendor: 'kaspersky-mdr', connection: 'mdr-prod' }, t0)
const intent: Intent = {
  grant: 'refresh_token',
  token: 'fingerprint-1',
  versionId: 'version-1',
  at: t0,
  kind: 'first',
  refused: false,
}

test('a connection that the ledger has not seen is due at once and knows nothing', () => {
  expect(fresh).toEqual({
    vendor: 'kaspersky-mdr',
    connection: 'mdr-prod',
    revision: 0,
    writer: '',
    fence: 0,
    dueAt: t0,
    spent: [],
    refused: [],
    attempts: 0,
    rotations: 0,
    enrollmentWrites: [],
    consumerWrites: [],
    incidents: 0,
    facts: {},
    history: [],
  })
})

describe('a fingerprint', () => {
  // printf 'mdr-prod\nrefresh-1' | sha256sum, in base64url: items that stand in the table depend on it.
  test('is 128 bits of a digest of connection and token', () => {
    expect(fingerprint('mdr-prod', new Redacted('refresh-1'))).toBe('SiaK1EF0bwGXKKm9dzMW4h')
  })

  test('of one token differs from connection to connection', () => {
    const token = new Redacted('refresh-1')
    expect(fingerprint('mdr-prod', token)).not.toBe(fingerprint('mdr-lab', token))
  })
})

describe('a lease', () => {
  const leased = acquired(fresh, { runId: 'run-1', leaseUntil: t1 })

  test('is another’s until its very end, and free from then on', () => {
    expect(isLeased(leased, new Date(t1.getTime() - 1))).toBe(true)
    expect(isLeased(leased, t1)).toBe(false)
    expect(isLeased(fresh, t0)).toBe(false)
  })

  test('that is made longer stays with its owner', () => {
    const later = new Date('2026-01-01T00:10:00Z')
    expect(extended(leased, later).lease).toEqual({ runId: 'run-1', expiresAt: later })
  })

  test('that nobody holds is not made longer', () => {
    expect(extended(fresh, t1)).toEqual(fresh)
  })
})

describe('tokens that were sent', () => {
  test('are remembered to the 64th, the oldest forgotten first', () => {
    let item = fresh
    for (let sent = 1; sent <= 65; sent++) item = declared(item, { ...intent, token: `t-${sent}` })
    expect(item.spent).toHaveLength(64)
    expect(item.spent.at(0)).toBe('t-2')
    expect(item.spent.at(-1)).toBe('t-65')
  })

  test('stand once each, the one sent last at the end', () => {
    let item = fresh
    for (const token of ['t-1', 't-2', 't-1']) item = declared(item, { ...intent, token })
    expect(item.spent).toEqual(['t-2', 't-1'])
  })
})

test('what the vendor says of a token changes nothing if none was announced', () => {
  expect(refusedIntent(fresh)).toEqual(fresh)
  expect(stillActive(fresh)).toEqual(fresh)
})

test('a refused credential is remembered per grant, in its last version', () => {
  let item = refusedGrant(fresh, 'password', 'version-1')
  item = refusedGrant(item, 'certificate', 'version-1')
  item = refusedGrant(item, 'password', 'version-2')
  expect(item.refused).toEqual([
    { grant: 'certificate', credentialId: 'version-1' },
    { grant: 'password', credentialId: 'version-2' },
  ])
})

describe('a ledger that knows less than the document', () => {
  test('counts the held token as sent and in doubt, by nobody knows which grant', () => {
    const held = { versionId: 'version-7', fence: 9, token: 'fingerprint-7' }
    expect(distrusted(fresh, held, t1)).toEqual({
      ...fresh,
      fence: 10,
      spent: ['fingerprint-7'],
      intent: {
        grant: 'unknown',
        token: 'fingerprint-7',
        versionId: 'version-7',
        at: t1,
        kind: 'first',
        refused: false,
        fence: 10,
      },
    })
  })

  test('has only to catch up if no token is held', () => {
    const held = { versionId: 'version-7', fence: 9, token: undefined }
    expect(distrusted(fresh, held, t1)).toEqual({ ...fresh, fence: 10 })
  })
})

describe('a pair that is safe', () => {
  const refreshExpiresAt = new Date('2026-01-08T00:00:00Z')

  test('settles what was announced, and brings the end of its own refresh token', () => {
    const item = settled(declared(fresh, intent), {
      versionId: 'version-2',
      tokens: { refreshToken: new Redacted('refresh-2'), refreshExpiresAt },
    })
    expect(item).toEqual({
      ...fresh,
      spent: ['fingerprint-1'],
      versionId: 'version-2',
      refreshExpiresAt,
    })
  })

  test('without an end of its refresh token leaves no former one behind', () => {
    const item = settled({ ...fresh, refreshExpiresAt }, { versionId: 'version-2', tokens: {} })
    expect(item).toEqual({ ...fresh, versionId: 'version-2' })
  })

  test('clears only the mark of the token that came back, not those of others', () => {
    const token = fingerprint('mdr-prod', new Redacted('refresh-1'))
    const sent = { ...declared(fresh, { ...intent, token }), spent: ['older', token] }
    const tokens = { refreshToken: new Redacted('refresh-1') }
    expect(settled(sent, { versionId: 'version-2', tokens }).spent).toEqual(['older'])
  })
})

describe('a version whose token is in doubt', () => {
  const sent = { ...declared(fresh, intent), refreshExpiresAt: t1 }

  test('settles nothing when it is put back in its place', () => {
    const held = { versionId: 'version-1', tokens: { refreshToken: new Redacted('refresh-1') } }
    expect(settled(sent, held)).toEqual({ ...sent, versionId: 'version-1' })
  })

  test('hands its doubt on to the version into which its token is written', () => {
    const refreshToken = new Redacted('refresh-1')
    const token = fingerprint('mdr-prod', refreshToken)
    const doubtful = declared(fresh, { ...intent, token })
    const moved = {
      ...doubtful,
      intent: { ...intent, token, versionId: 'version-9', fence: fresh.fence },
    }
    expect(doubtMoved(doubtful, { refreshToken }, 'version-9')).toEqual(moved)
  })

  test('is no other, and where nothing is in doubt nothing moves', () => {
    const refreshToken = new Redacted('refresh-2')
    expect(doubtMoved(sent, { refreshToken }, 'version-9')).toEqual(sent)
    expect(doubtMoved(fresh, { refreshToken }, 'version-9')).toEqual(fresh)
  })
})

describe('the fence of an announcement', () => {
  const later = { ...fresh, fence: 7 }

  test('is that of the run that was the first to send the token', () => {
    const twice = declared({ ...declared(later, intent), fence: 9 }, { ...intent, kind: 'probe' })
    expect(twice.intent?.fence).toBe(7)
  })

  test('is a new one for another token', () => {
    const other = declared(
      { ...declared(later, intent), fence: 9 },
      { ...intent, token: 'another' },
    )
    expect(other.intent?.fence).toBe(9)
  })
})

describe('a token that is handed back', () => {
  const refreshToken = new Redacted('refresh-1')
  const token = fingerprint('mdr-prod', refreshToken)
  const sent = declared(fresh, { ...intent, token })
  const later = { versionId: 'version-2', tokens: { refreshToken }, fence: 2 }

  test('is the one in doubt, in a version that a run wrote beside the one it was sent from', () => {
    expect(isHandedBack(sent, later)).toBe(true)
  })

  test.each([
    ['a person wrote the version', sent, { versionId: 'version-2', tokens: { refreshToken } }],
    ['it is the version it was sent from', sent, { ...later, versionId: 'version-1' }],
    ['it is another token', sent, { ...later, tokens: { refreshToken: new Redacted('r-2') } }],
    ['there is no token', sent, { ...later, tokens: {} }],
    ['nothing is in doubt', fresh, later],
  ])('is not, if %s', (_title, item, held) => {
    expect(isHandedBack(item, held)).toBe(false)
  })
})

describe('the end of a run', () => {
  const leased = { ...acquired(fresh, { runId: 'run-1', leaseUntil: t1 }), attempts: 2 }
  const end = { now: t0, dueAt: t1, outcome: 'rotated', failed: false }

  test('gives the lease up, writes the outcome down and forgets former failures', () => {
    expect(released(leased, end)).toEqual({
      ...fresh,
      fence: 1,
      dueAt: t1,
      history: [{ at: t0, outcome: 'rotated' }],
    })
  })

  test('counts failures in a row', () => {
    expect(released(leased, { ...end, failed: true }).attempts).toBe(3)
  })

  test('keeps what was asked for until it is done', () => {
    const asked = { ...leased, requested: true }
    expect(released(asked, { ...end, failed: true }).requested).toBe(true)
    expect(released(asked, end)).not.toHaveProperty('requested')
    expect(released(leased, { ...end, failed: true })).not.toHaveProperty('requested')
  })

  test('keeps the last ten outcomes, newest last', () => {
    let item = fresh
    for (let run = 1; run <= 11; run++) item = released(item, { ...end, outcome: `run ${run}` })
    expect(item.history.map(({ outcome }) => outcome)).toEqual([
      'run 2',
      'run 3',
      'run 4',
      'run 5',
      'run 6',
      'run 7',
      'run 8',
      'run 9',
      'run 10',
      'run 11',
    ])
  })
})
