import { UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { mayHaveSpent } from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { createHttp } from '../../lib/http.ts'
import {
  type MdrSimulator,
  kasperskyMdr as simulated,
} from '../../lib/local/simulators/kaspersky-mdr.ts'
import { kasperskyMdr } from '../../lib/vendors/kaspersky-mdr.ts'
import {
  bench,
  connectionOf,
  grantOf,
  recorder,
  thrownBy,
  type VendorCase,
  vendorContract,
} from './contract.ts'

const tenant = (simulator: MdrSimulator) => String(simulator.credential.clientId)
const consoleToken = (simulator: MdrSimulator) => ({
  refreshToken: new Redacted(String(simulator.credential.refreshToken)),
})

const mdr: VendorCase<MdrSimulator> = {
  vendor: kasperskyMdr,
  start: simulated.start,
  options: (simulator) => ({ url: simulator.url, clientId: tenant(simulator) }),
  credential: () => ({}),
  consume: (simulator) => ({
    method: 'POST',
    url: `${simulator.url}/api/v1/${tenant(simulator)}/incidents/list`,
    json: { page: 1, page_size: 10 },
  }),
  grants: [
    {
      name: 'refresh_token',
      spends: 'refresh-token',
      on: 'refresh',
      prepare: async ({ simulator }) => consoleToken(simulator),
      sent: (simulator, held) => ({
        line: `POST /api/v1/${tenant(simulator)}/session/confirm`,
        body: { refresh_token: held.refreshToken?.reveal() },
      }),
      answer: (access_token, refresh_token) => ({ access_token, refresh_token }),
    },
  ],
  verify: {
    on: 'verify',
    sent: (simulator, accessToken) => ({
      line: `POST /api/v1/${tenant(simulator)}/incidents/count`,
      body: {},
      authorization: `Bearer ${accessToken}`,
    }),
  },
  misshapen: [
    { credential: { clientId: 7 }, field: 'clientId' },
    { credential: { clientId: 'up/../and away' }, field: 'clientId' },
    { credential: { clientId: 'another-tenant' }, field: 'clientId' },
  ],
}

vendorContract(mdr)

/** The refresh grant at a server that answers like this. */
async function refreshAt(status: number, answer: unknown, now = new Date()) {
  const server = await recorder(status, answer)
  const connection = connectionOf(kasperskyMdr, { url: server.url, clientId: 'tenant-1' })
  const client = kasperskyMdr.connect(connection, {}, createHttp())
  const held = { refreshToken: new Redacted('made-up-refresh-token') }
  return grantOf(client, 'refresh_token').request(held, { now, timeoutSeconds: 10, known: {} })
}

describe('a refusal', () => {
  test.each(['refuse-200-error', 'refuse-401-json', 'refuse-403-json', 'refuse-400-text'])(
    'is recognised in the shape %s, with error as a string or an object',
    async (shape) => {
      for (const kinds of [[shape], [shape, 'error-object']]) {
        const { simulator, grant, call } = await bench(mdr)
        for (const kind of kinds) simulator.inject({ kind, times: 'always' })
        simulator.inject({ kind: 'refuse' })
        const held = consoleToken(simulator)
        const request = grant('refresh_token').request(held, call())
        const error = await thrownBy(request, [held.refreshToken.reveal()])
        expect(error).toMatchObject({ code: 'ERR_GRANT_REFUSED', reason: 'invalid_grant' })
        expect(mayHaveSpent(error)).toBe(true)
      }
    },
  )

  test.each([
    [{ error: '' }],
    [{ error: null }],
    [{ error: 'quota', access_token: 'a', refresh_token: 'r' }],
  ])('is %j with status 200: the key counts, not its value', async (answer) => {
    expect(await thrownBy(refreshAt(200, answer), [])).toMatchObject({ code: 'ERR_GRANT_REFUSED' })
  })

  test('follows from a connection that was revoked at the console', async () => {
    const { simulator, grant, call } = await bench(mdr)
    simulator.revokeConnection()
    const request = grant('refresh_token').request(consoleToken(simulator), call())
    expect(await thrownBy(request, [])).toMatchObject({ code: 'ERR_GRANT_REFUSED' })
  })

  test.each([404, 408, 429, 500, 502, 503])('is not what status %i says', async (status) => {
    const error = await thrownBy(refreshAt(status, { error: 'try later' }), [])
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', status, spent: 'maybe' })
  })
})

describe('a pair', () => {
  test.each([
    ['access_token', { refresh_token: 'r' }],
    ['refresh_token', { access_token: 'a' }],
  ])('without %s is none, and the keys that came are named', async (_missing, answer) => {
    const error = await thrownBy(refreshAt(200, answer), [])
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', spent: 'maybe' })
    expect(error.message).toContain(`keys: ${Object.keys(answer).join()}`)
  })

  test('of the simulator lives for an hour and for seven days', async () => {
    const now = new Date()
    const { simulator, grant, call } = await bench(mdr, { now: () => now })
    const pair = await grant('refresh_token').request(consoleToken(simulator), call({ now }))
    const seconds = (end: Date | null | undefined) => {
      const life = ((end ?? now).getTime() - now.getTime()) / 1000
      return Math.ceil(life)
    }
    expect(seconds(pair.expiresAt)).toBe(3600)
    expect(seconds(pair.refreshExpiresAt)).toBe(604_800)
  })

  const now = new Date('2026-01-01T00:00:00Z')
  const jwt = (claims: Record<string, number>) => new UnsecuredJWT(claims).encode()
  const at = (text: string) => new Date(text).getTime() / 1000

  test.each([
    [
      'an hour by a clock that agrees',
      { exp: at('2026-01-01T01:00:00Z') },
      '2026-01-01T01:00:00.000Z',
    ],
    [
      'an hour at most by a clock ten minutes ahead',
      { exp: at('2026-01-01T01:10:00Z') },
      '2026-01-01T01:00:00.000Z',
    ],
    [
      'what is left by a clock ten minutes behind',
      { exp: at('2026-01-01T00:50:00Z') },
      '2026-01-01T00:50:00.000Z',
    ],
    [
      'an hour by a clock so far behind that it has ended',
      { exp: at('2025-12-31T23:00:00Z') },
      '2026-01-01T01:00:00.000Z',
    ],
    [
      'its own length by any clock, if it says when it began',
      { iat: at('2026-01-01T00:10:00Z'), exp: at('2026-01-01T00:40:00Z') },
      '2026-01-01T00:30:00.000Z',
    ],
    ['an hour if it says nothing', {}, '2026-01-01T01:00:00.000Z'],
    [
      'an hour if it speaks in milliseconds',
      { exp: 1_767_229_200_000 },
      '2026-01-01T01:00:00.000Z',
    ],
  ])('has an access token that lives for %s', async (_how, claims, end) => {
    const answer = { access_token: jwt(claims), refresh_token: 'opaque' }
    const pair = await refreshAt(200, answer, now)
    expect(pair.expiresAt?.toISOString()).toBe(end)
    expect(pair.refreshExpiresAt?.toISOString()).toBe('2026-01-08T00:00:00.000Z')
  })

  test('has a refresh token that never counts on more than seven days', async () => {
    const answer = { access_token: 'a', refresh_token: jwt({ exp: at('2027-01-01T00:00:00Z') }) }
    const pair = await refreshAt(200, answer, now)
    expect(pair.refreshExpiresAt?.toISOString()).toBe('2026-01-08T00:00:00.000Z')
  })
})

describe('a refresh token made in a console', () => {
  const usableAfter = async (seconds: number) => {
    const { simulator, grant } = await bench(mdr)
    const later = new Date(Date.now() + seconds * 1000)
    return grant('refresh_token').usable(consoleToken(simulator), later)
  }

  test('is sent for 24 hours by its own word, and a minute more for a clock behind', async () => {
    expect(await usableAfter(86_400 + 30)).toBe(true)
    expect(await usableAfter(86_400 + 61)).toBe(false)
  })

  test('is refused by the vendor after 24 hours', async () => {
    const clock = { now: new Date() }
    const { simulator, grant, call } = await bench(mdr, { now: () => clock.now })
    clock.now = new Date(clock.now.getTime() + 86_400_000)
    const request = grant('refresh_token').request(consoleToken(simulator), call())
    expect(await thrownBy(request, [])).toMatchObject({ code: 'ERR_GRANT_REFUSED' })
  })

  test('is sent if it does not say how long it lives', async () => {
    const { grant } = await bench(mdr)
    const held = { refreshToken: new Redacted('opaque') }
    expect(grant('refresh_token').usable(held, new Date())).toBe(true)
    expect(grant('refresh_token').usable({}, new Date())).toBe(false)
  })
})

describe('an access token', () => {
  test.each(['expired-401', 'expired-403'])('that has run out is rejected: %s', async (kind) => {
    const clock = { now: new Date() }
    const { simulator, client, grant, call } = await bench(mdr, { now: () => clock.now })
    const pair = await grant('refresh_token').request(consoleToken(simulator), call())
    await client.verify?.(pair, call())
    clock.now = new Date(clock.now.getTime() + 3_600_000)
    simulator.inject({ kind, times: 'always' })
    const verified = client.verify?.(pair, call()) ?? Promise.resolve()
    const error = await thrownBy(verified, [pair.accessToken.reveal()])
    expect(error).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected: true })
    expect(error.message).toContain(kind.slice(-3))
  })

  test.each([[{ count: '3' }], [{ count: 1.5 }], [{}], [null]])(
    'is not proven by %j instead of a count',
    async (answer) => {
      const server = await recorder(200, answer)
      const connection = connectionOf(kasperskyMdr, { url: server.url, clientId: 'tenant-1' })
      const client = kasperskyMdr.connect(connection, {}, createHttp())
      const { simulator, grant, call } = await bench(mdr)
      const pair = await grant('refresh_token').request(consoleToken(simulator), call())
      const error = await thrownBy(client.verify?.(pair, call()) ?? Promise.resolve(), [])
      expect(error).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected: false })
    },
  )
})

describe('the tenant', () => {
  const connection = (options: object) => connectionOf(kasperskyMdr, { ...options })
  test('may be enrolled instead of configured', async () => {
    const server = await recorder(200, { access_token: 'a', refresh_token: 'r' })
    const credential = { clientId: 'enrolled-tenant' }
    const client = kasperskyMdr.connect(connection({ url: server.url }), credential, createHttp())
    const held = { refreshToken: new Redacted('made-up') }
    const call = { now: new Date(), timeoutSeconds: 10, known: {} }
    await grantOf(client, 'refresh_token').request(held, call)
    expect(server.seen[0]?.line).toBe('POST /api/v1/enrolled-tenant/session/confirm')
  })

  test('must be one or the other', async () => {
    const call = Promise.resolve().then(() =>
      kasperskyMdr.connect(connection({}), {}, createHttp()),
    )
    expect(await thrownBy(call, [])).toMatchObject({ code: 'ERR_CONFIG', field: 'clientId' })
  })

  test.each(['', '/', '/api/v1', '/api/v1/'])(
    'is found below a URL that ends in %j',
    async (path) => {
      const server = await recorder(200, { access_token: 'a', refresh_token: 'r' })
      const options = { url: `${server.url}${path}`, clientId: 'tenant-1' }
      const client = kasperskyMdr.connect(connection(options), {}, createHttp())
      const held = { refreshToken: new Redacted('made-up') }
      const call = { now: new Date(), timeoutSeconds: 10, known: {} }
      await grantOf(client, 'refresh_token').request(held, call)
      expect(server.seen[0]?.line).toBe('POST /api/v1/tenant-1/session/confirm')
    },
  )
})
