import { describe, expect, test } from 'vitest'
import { decide, nextDue, type Situation } from '../../lib/core/decide.ts'
import type { Enrollment } from '../../lib/core/documents.ts'
import { fingerprint, type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import type { Grant, HeldTokens } from '../../lib/core/vendor.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const at = (minutes: number) => new Date(t0.getTime() + minutes * 60_000)
const justBefore = (instant: Date) => new Date(instant.getTime() - 1)
const request = () => Promise.reject(new Error('decide asks nobody'))
const refresh: Grant = {
  name: 'refresh_token',
  spends: 'refresh-token',
  usable: (held, now) =>
    held.refreshToken !== undefined &&
    (held.refreshExpiresAt === undefined || held.refreshExpiresAt > now),
  request,
}
const password: Grant = { name: 'password', spends: 'nothing', usable: () => true, request }
const certificate: Grant = { ...password, name: 'certificate' }

const refreshToken = new Redacted('refresh-1')
const token = fingerprint('any-1', refreshToken)
const hour: HeldTokens = {
  accessToken: new Redacted('access-1'),
  tokenType: 'Bearer',
  issuedAt: t0,
  expiresAt: at(60),
  refreshToken,
  grant: 'refresh_token',
}
const session: HeldTokens = { ...hour, expiresAt: null }
const published = {
  versionId: 'version-1',
  issuedAt: t0,
  expiresAt: at(60),
  held: true,
  where: 'secret',
  proven: true,
} as const
// Its jitter makes an hour's token due at 44 minutes and some seconds.
const dueAt = new Date('2026-01-01T00:44:41.229Z')
const sent = {
  grant: 'refresh_token',
  token,
  versionId: 'version-1',
  at: at(45),
  kind: 'first',
  refused: false,
} as const

interface Given extends Partial<Omit<Situation, 'item' | 'held'>> {
  readonly tokens?: HeldTokens
  readonly item?: { readonly [Part in keyof LedgerItem]?: LedgerItem[Part] | undefined }
  readonly held?: Partial<Enrollment>
}
/** A connection that holds and has published an hour's token, but for what is given. */
function situation(now: Date, { tokens = hour, item, held, ...rest }: Given = {}): Situation {
  return {
    connection: { id: 'any-1' },
    grants: [refresh],
    held: {
      versionId: 'version-1',
      credential: {},
      credentialId: 'version-0',
      tokens,
      superseded: [],
      fence: 1,
      ...held,
    },
    item: {
      ...newItem({ vendor: 'any', connection: 'any-1' }, t0),
      published,
      ...item,
    } as LedgerItem,
    now,
    forced: false,
    canIntrospect: false,
    timings: defaultTimings,
    ...rest,
  }
}

describe('a token that is published', () => {
  test('is let be until it is due, and renewed from then on', () => {
    expect(decide(situation(justBefore(dueAt)))).toEqual({ do: 'skip', until: dueAt })
    expect(decide(situation(dueAt))).toEqual({ do: 'renew', grant: refresh, probe: false })
  })

  test('is renewed when somebody asks', () => {
    expect(decide(situation(at(1), { forced: true }))).toMatchObject({ do: 'renew' })
  })

  test('that is held nowhere is due by its own end', () => {
    const minted = {
      tokens: {},
      grants: [password],
      item: { published: { ...published, held: false } },
    }
    expect(decide(situation(justBefore(dueAt), minted))).toEqual({ do: 'skip', until: dueAt })
    expect(decide(situation(dueAt, minted))).toMatchObject({ do: 'renew', grant: password })
  })

  test('is not taken for what is held if a person took the held one away', () => {
    expect(decide(situation(at(1), { tokens: { refreshToken } }))).toMatchObject({ do: 'renew' })
  })

  test('does not stand in for a held one that has another end', () => {
    const minted = {
      tokens: { ...hour, expiresAt: at(30) },
      item: { published: { ...published, held: false } },
    }
    expect(decide(situation(at(21), minted))).toMatchObject({ do: 'renew' })
  })
})

describe('a held token that consumers do not have', () => {
  test.each([
    ['nothing was published', { published: undefined }],
    ['another version was', { published: { ...published, versionId: 'version-0' } }],
    ['only the mirror has it', { published: { ...published, where: 'mirror' as const } }],
    ['the vendor has not confirmed it', { published: { ...published, proven: false } }],
  ])('is published: %s', (_title, { published }) => {
    const item = { published }
    expect(decide(situation(at(1), { item }))).toEqual({ do: 'publish' })
  })

  test('is renewed first if it is due', () => {
    const unpublished = { published: undefined }
    expect(decide(situation(dueAt, { item: unpublished }))).toMatchObject({ do: 'renew' })
  })

  test('is published while it lives if nothing newer is to be had, which is told, and no longer', () => {
    const item = { published: undefined, spent: [token] }
    const blocked = decide(situation(at(60), { item }))
    expect(blocked).toMatchObject({ do: 'blocked', cause: 'enrollment-required' })
    expect(decide(situation(justBefore(at(60)), { item }))).toEqual({ do: 'publish', blocked })
  })

  test('is renewed at once if the vendor does not take it, though it is not due', () => {
    const { versionId } = situation(at(1)).held
    const item = { published: undefined, rejected: versionId }
    expect(decide(situation(at(1), { item }))).toMatchObject({ do: 'renew', probe: false })
    const other = { published: undefined, rejected: 'another-version' }
    expect(decide(situation(at(1), { item: other }))).toEqual({ do: 'publish' })
  })

  test('is not published twice because nothing newer is to be had', () => {
    expect(decide(situation(at(50), { item: { spent: [token] } }))).toMatchObject({ do: 'blocked' })
  })

  test('nor is a session that nobody can replace: whether it lives is not known', () => {
    const item = { published: undefined, spent: [token] }
    const forced = { tokens: session, item, forced: true, idleSeconds: 180 }
    expect(decide(situation(at(1), forced))).toMatchObject({ do: 'blocked' })
  })
})

describe('a session that is kept alive', () => {
  const kept = (now: Date, more: Given = {}) =>
    decide(situation(now, { tokens: session, idleSeconds: 180, ...more }))
  const pulse = new Date('2026-01-01T00:00:45Z')

  test('is asked to live on after 45 seconds of silence', () => {
    expect(kept(justBefore(pulse))).toEqual({ do: 'skip', until: pulse })
    expect(kept(pulse)).toEqual({ do: 'keep-alive' })
  })

  test('counts its silence from its last sign of life', () => {
    const next = new Date('2026-01-01T00:10:45Z')
    expect(kept(at(10), { item: { aliveAt: at(10) } })).toEqual({ do: 'skip', until: next })
    expect(kept(next, { item: { aliveAt: at(10) } })).toEqual({ do: 'keep-alive' })
  })

  test('that a run left unpublished is asked first if it was silent, else published', () => {
    const item = { published: undefined }
    expect(kept(pulse, { item })).toEqual({ do: 'keep-alive' })
    expect(kept(justBefore(pulse), { item })).toEqual({ do: 'publish' })
  })

  test('is replaced, not asked, if somebody wants another', () => {
    expect(kept(pulse, { forced: true })).toMatchObject({ do: 'renew' })
  })

  test('of which nobody knows since when it is silent is replaced', () => {
    const tokens = { accessToken: new Redacted('access-1'), expiresAt: null, refreshToken }
    expect(kept(at(1), { tokens })).toMatchObject({ do: 'renew', grant: refresh })
  })

  test('of a vendor that keeps none alive is let be for good', () => {
    const decision = decide(situation(at(1), { tokens: session }))
    expect(decision).toEqual({ do: 'skip', until: new Date(8.64e15) })
  })

  test('is not what a token with an end of its own is', () => {
    expect(decide(situation(at(2), { idleSeconds: 180 }))).toEqual({ do: 'skip', until: dueAt })
  })
})

describe('superseded sessions', () => {
  test('are ended when their time has come, before anything is renewed', () => {
    const item = { retireAt: at(5) }
    expect(decide(situation(justBefore(at(5)), { item }))).toEqual({ do: 'skip', until: at(5) })
    expect(decide(situation(at(5), { item }))).toEqual({ do: 'retire' })
    expect(decide(situation(dueAt, { item }))).toEqual({ do: 'retire' })
  })

  test('do not come before consumers have the new one', () => {
    const item = { retireAt: at(5), published: { ...published, versionId: 'version-0' } }
    expect(decide(situation(at(6), { item }))).toEqual({ do: 'publish' })
  })

  test('are reckoned with in when there is something to do again', () => {
    expect(nextDue(situation(t0, { item: { retireAt: at(50) } }))).toEqual(dueAt)
    expect(nextDue(situation(t0, { item: { retireAt: at(5) } }))).toEqual(at(5))
  })
})

describe('a credential that was refused', () => {
  const refused = [{ grant: 'password', credentialId: 'version-0' }]
  const given = { grants: [password], item: { refused } }

  test('is not presented again until it changes, and a person is told which', () => {
    expect(decide(situation(dueAt, given))).toEqual({
      do: 'blocked',
      cause: 'enrollment-required',
      message:
        'the vendor refused the enrolled credential (password); it is not presented again until it changes',
    })
    const changed = { ...given, held: { credentialId: 'version-9' } }
    expect(decide(situation(dueAt, changed))).toMatchObject({ do: 'renew', grant: password })
  })

  test('for one grant may still serve another', () => {
    const both = { ...given, grants: [password, certificate] }
    expect(decide(situation(dueAt, both))).toMatchObject({ do: 'renew', grant: certificate })
  })

  test('for every grant is told by all their names', () => {
    const item = { refused: [...refused, { grant: 'certificate', credentialId: 'version-0' }] }
    const decision = decide(situation(dueAt, { grants: [password, certificate], item }))
    expect(decision).toMatchObject({ message: expect.stringContaining('(password, certificate)') })
  })

  test('does not keep a refresh token from being sent', () => {
    const item = { refused: [{ grant: 'refresh_token', credentialId: 'version-0' }] }
    expect(decide(situation(dueAt, { item }))).toMatchObject({ do: 'renew', grant: refresh })
  })
})

describe('a connection without a usable grant', () => {
  test('says that its refresh token has run out', () => {
    const tokens = { ...hour, refreshExpiresAt: at(50) }
    expect(decide(situation(at(50), { tokens }))).toEqual({
      do: 'blocked',
      cause: 'enrollment-required',
      message: 'the held refresh token has run out',
    })
  })

  test('says that nothing usable was enrolled', () => {
    expect(decide(situation(at(50), { tokens: {} }))).toEqual({
      do: 'blocked',
      cause: 'enrollment-required',
      message:
        'the enrollment secret holds no refresh token and no other credential that this vendor takes',
    })
  })
})

describe('a refresh token that was sent and brought no answer', () => {
  const doubtful = (now: Date, intent: object = {}, more: Given = {}) =>
    decide(
      situation(now, {
        ...more,
        item: { spent: [token], intent: { ...sent, ...intent }, ...more.item },
      }),
    )
  /** Half a margin before the end of the published token, and 80 seconds for the answer to come in time. */
  const nearlyOut = new Date(at(52.5).getTime() - 80_000)

  test('is kept while consumers are served, a person is told, and it is sent once more when that ends', () => {
    expect(doubtful(justBefore(nearlyOut))).toEqual({
      do: 'blocked',
      cause: 'token-at-risk',
      message:
        'a refresh token was sent and its answer is missing; the published token is served on, and the refresh token will be sent once more when that is nearly out',
      until: nearlyOut,
    })
    expect(doubtful(nearlyOut)).toEqual({ do: 'renew', grant: refresh, probe: true })
  })

  test('is sent once more without waiting if consumers have nothing, but not before a late answer may come', () => {
    const item = { published: undefined }
    const answered = new Date('2026-01-01T00:46:50Z')
    expect(doubtful(justBefore(answered), {}, { item, tokens: { refreshToken } })).toMatchObject({
      do: 'blocked',
      until: answered,
    })
    expect(doubtful(answered, {}, { item, tokens: { refreshToken } })).toMatchObject({
      do: 'renew',
      probe: true,
    })
  })

  test('gets the time of a late answer also if the published token is nearly out', () => {
    const late = new Date('2026-01-01T00:59:50Z')
    expect(doubtful(justBefore(late), { at: at(58) })).toMatchObject({ do: 'blocked', until: late })
    expect(doubtful(late, { at: at(58) })).toMatchObject({ do: 'renew', probe: true })
  })

  test('is asked about where the vendor can tell, once no late answer can come; nobody is told before', () => {
    const answered = new Date('2026-01-01T00:46:50Z')
    expect(doubtful(justBefore(answered), {}, { canIntrospect: true })).toEqual({
      do: 'blocked',
      message:
        'a refresh token was sent and its answer is missing; the vendor is asked whether it was used up as soon as no late answer can come',
      until: answered,
    })
    expect(doubtful(answered, {}, { canIntrospect: true })).toEqual({ do: 'introspect' })
  })

  test('is left alone where another grant spends nothing', () => {
    const grants = [refresh, password]
    expect(doubtful(at(50), {}, { grants })).toEqual({ do: 'renew', grant: password, probe: false })
  })

  test.each([
    ['the vendor has refused it', { refused: true }, 'the vendor refused the refresh token'],
    [
      'another one was sent since',
      { token: 'another' },
      'the refresh token in the enrollment secret is one that was already sent',
    ],
  ])('is a case for a person if %s', (_title, intent, message) => {
    const blocked = { do: 'blocked', cause: 'enrollment-required', message }
    expect(doubtful(nearlyOut, intent)).toEqual(blocked)
    expect(doubtful(nearlyOut, intent, { canIntrospect: true })).toEqual(blocked)
  })

  test('nor did its repetition: that is a case for a person, unless the vendor can tell', () => {
    const repeated = { kind: 'probe' }
    expect(doubtful(nearlyOut, repeated)).toEqual({
      do: 'blocked',
      cause: 'enrollment-required',
      message: 'no answer came to the refresh token, nor to the one repetition',
    })
    expect(doubtful(nearlyOut, repeated, { canIntrospect: true })).toEqual({ do: 'introspect' })
  })

  test('is sent again, and not as the repetition, once the vendor has called it active', () => {
    const renew = { do: 'renew', grant: refresh, probe: false }
    expect(doubtful(at(46), { active: true })).toEqual(renew)
    expect(doubtful(at(46), { active: true, kind: 'probe' })).toEqual(renew)
    expect(doubtful(at(46), { active: true, refused: true })).toMatchObject({ do: 'blocked' })
    expect(doubtful(at(46), { active: true, token: 'another' })).toMatchObject({ do: 'blocked' })
  })

  test('is a case for a person if nothing is known of its sending', () => {
    expect(decide(situation(at(59), { item: { spent: [token] } }))).toEqual({
      do: 'blocked',
      cause: 'enrollment-required',
      message: 'the refresh token in the enrollment secret is one that was already sent',
    })
  })

  test('is not one that was enrolled since', () => {
    const item = { spent: ['another'], intent: { ...sent, token: 'another' } }
    const decision = decide(situation(dueAt, { item }))
    expect(decision).toEqual({ do: 'renew', grant: refresh, probe: false })
  })
})

describe('an enrollment secret without room for another version', () => {
  const writes = (count: number) =>
    Array.from({ length: count }, (_, index) => new Date(dueAt.getTime() - 60_000 * (index + 1)))
  const full = { item: { enrollmentWrites: writes(98) } }

  test('has nothing spent for it until the oldest ages out', () => {
    expect(decide(situation(dueAt, full))).toEqual({
      do: 'blocked',
      cause: 'version-budget',
      message:
        'the enrollment secret has no room for another version within 24 hours; nothing is spent until the oldest ages out',
      until: new Date('2026-01-01T23:06:41.229Z'),
    })
    const item = { enrollmentWrites: writes(97) }
    expect(decide(situation(dueAt, { item }))).toMatchObject({ do: 'renew' })
  })

  test('does not keep a grant that spends nothing', () => {
    const decision = decide(situation(dueAt, { ...full, grants: [password] }))
    expect(decision).toMatchObject({ do: 'renew', grant: password })
  })

  test('holds back the repetition of a doubtful token as well', () => {
    const item = { ...full.item, spent: [token], intent: sent }
    expect(decide(situation(at(55), { item }))).toMatchObject({ cause: 'version-budget' })
    const active = { ...item, intent: { ...sent, active: true } }
    expect(decide(situation(at(46), { item: active }))).toMatchObject({ cause: 'version-budget' })
  })
})
