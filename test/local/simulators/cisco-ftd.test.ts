import { decodeJwt, decodeProtectedHeader } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { ciscoFtd, type FtdSimulator } from '../../../lib/local/simulators/cisco-ftd.ts'
import type { SimulatorOptions } from '../../../lib/local/simulators/simulator.ts'
import { postTwiceAtOnce } from './at-once.ts'

/** 2026-01-01T00:00:00Z is 1767225600 in seconds. */
const START = new Date('2026-01-01T00:00:00Z')

interface Pair {
  readonly access_token: string
  readonly expires_in: number
  readonly refresh_token: string
  readonly refresh_expires_in: number
}

async function startFtd(options: SimulatorOptions = {}) {
  const clock = { now: START }
  const ftd = await ciscoFtd.start({ plain: true, now: () => clock.now, ...options })
  onTestFinished(() => ftd.close())
  const advance = (seconds: number) => {
    clock.now = new Date(clock.now.getTime() + seconds * 1000)
  }
  return { ftd, advance }
}

function token(ftd: FtdSimulator, body: unknown, version = 'latest') {
  return fetch(`${ftd.url}/api/fdm/${version}/fdm/token`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
}

async function pairOf(ftd: FtdSimulator, body: unknown): Promise<Pair> {
  const response = await token(ftd, body)
  expect(response.status).toBe(200)
  return (await response.json()) as Pair
}

const login = (ftd: FtdSimulator) => pairOf(ftd, { grant_type: 'password', ...ftd.credential })
const refresh = (refresh_token: unknown) => ({ grant_type: 'refresh_token', refresh_token })
const custom = (access_token: string, wishes: object = {}) => ({
  grant_type: 'custom_token',
  access_token,
  desired_expires_in: 2400,
  desired_refresh_expires_in: 3000,
  desired_subject: 'api-client',
  desired_refresh_count: 3,
  ...wishes,
})

const SYSTEM = 'operational/systeminfo/default'

function call(ftd: FtdSimulator, path: string, accessToken?: string, init: RequestInit = {}) {
  return fetch(`${ftd.url}/api/fdm/latest/${path}`, {
    ...init,
    headers: accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
  })
}

const statusOf = async (ftd: FtdSimulator, accessToken?: string) =>
  (await call(ftd, 'object/networks?limit=1', accessToken)).status

test('the password grant gives 1800 s and 2400 s, refreshable without end', async () => {
  const { ftd } = await startFtd()
  const pair = await login(ftd)
  expect(pair).toMatchObject({ expires_in: 1800, token_type: 'Bearer', refresh_expires_in: 2400 })
  expect(decodeProtectedHeader(pair.access_token)).toEqual({ alg: 'HS256' })
  const access = decodeJwt(pair.access_token)
  expect(access).toEqual({
    iat: 1767225600,
    sub: 'admin',
    jti: expect.stringMatching(
      /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ),
    nbf: 1767225600,
    exp: 1767227400,
    refreshTokenExpiresAt: 1767228000000,
    tokenType: 'JWT_Access',
    origin: 'password',
  })
  expect(decodeJwt(pair.refresh_token)).toEqual({
    iat: 1767225600,
    sub: 'admin',
    jti: access.jti,
    nbf: 1767225600,
    exp: 1767228000,
    accessTokenExpiresAt: 1767227400000,
    refreshCount: -1,
    tokenType: 'JWT_Refresh',
    origin: 'password',
  })
})

test('wishes sent with a password grant have no effect', async () => {
  const { ftd } = await startFtd()
  const wishes = { desired_expires_in: 60, desired_refresh_count: 0 }
  const pair = await pairOf(ftd, { grant_type: 'password', ...ftd.credential, ...wishes })
  expect(pair).toMatchObject({ expires_in: 1800, refresh_expires_in: 2400 })
})

test('bad credentials are 400, whatever the Authorization header says', async () => {
  const { ftd } = await startFtd()
  const { username, password } = ftd.credential
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const response = await fetch(`${ftd.url}/api/fdm/latest/fdm/token`, {
    method: 'POST',
    body: JSON.stringify({ grant_type: 'password', username, password: 'wrong' }),
    headers: { authorization: basic },
  })
  expect(response.status).toBe(400)
  expect(await response.json()).toEqual({ message: expect.any(String), status_code: 400 })
  expect(ftd.counters()).toMatchObject({ passwordGrants: 0, refusals: 1 })
})

test.each([
  ['no JSON', 'grant_type=password'],
  ['no grant type', '{}'],
  ['an unknown grant type', '{"grant_type":"client_credentials"}'],
  ['a name inherited by every object', '{"grant_type":"constructor"}'],
])('a token request with %s is 400', async (_, body) => {
  const { ftd } = await startFtd()
  const response = await fetch(`${ftd.url}/api/fdm/latest/fdm/token`, { method: 'POST', body })
  expect(response.status).toBe(400)
})

test.each(['v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'latest'])(
  'version %s works in every path',
  async (version) => {
    const { ftd } = await startFtd()
    const response = await token(ftd, { grant_type: 'password', ...ftd.credential }, version)
    const { access_token } = (await response.json()) as Pair
    const list = await fetch(`${ftd.url}/api/fdm/${version}/object/networks`, {
      headers: { authorization: `Bearer ${access_token}` },
    })
    expect(list.status).toBe(200)
  },
)

test('a wrong version in the token path is 401, not 404', async () => {
  const { ftd } = await startFtd()
  const response = await token(ftd, { grant_type: 'password', ...ftd.credential }, 'v9')
  expect(response.status).toBe(401)
  expect(await response.json()).toEqual({ message: 'Unauthorized', status_code: 401 })
})

test('versions are told without a token, newest first', async () => {
  const { ftd } = await startFtd()
  const response = await fetch(`${ftd.url}/api/versions`)
  expect(await response.json()).toEqual({ supportedVersions: ['v6', 'latest'] })
})

test('a refresh gives a new pair of the same session and uses the refresh token up', async () => {
  const { ftd, advance } = await startFtd()
  const first = await login(ftd)
  advance(1500)
  const second = await pairOf(ftd, refresh(first.refresh_token))
  expect(decodeJwt(second.refresh_token)).toMatchObject({
    jti: decodeJwt(first.access_token).jti,
    exp: 1767225600 + 1500 + 2400,
    refreshCount: -1,
  })
  expect((await token(ftd, refresh(first.refresh_token))).status).toBe(400)
  expect(await statusOf(ftd, second.access_token)).toBe(200)
  const counters = ftd.counters()
  expect(counters).toMatchObject({ issued: 2, spends: 2, presentedTwice: 1, sessionsAlive: 1 })
})

test('of two refreshes with one token at the same time one wins', async () => {
  const { ftd } = await startFtd()
  const { refresh_token } = await login(ftd)
  const both = await postTwiceAtOnce(`${ftd.url}/api/fdm/latest/fdm/token`, refresh(refresh_token))
  expect(both).toEqual([200, 400])
})

test('two refreshes within one instant give different tokens', async () => {
  const { ftd } = await startFtd()
  const first = await login(ftd)
  const second = await pairOf(ftd, refresh(first.refresh_token))
  expect(second.refresh_token).not.toBe(first.refresh_token)
  await pairOf(ftd, refresh(second.refresh_token))
})

test('a refresh token is good for 40 minutes and not a second longer', async () => {
  const { ftd, advance } = await startFtd()
  const first = await login(ftd)
  advance(2399)
  const second = await pairOf(ftd, refresh(first.refresh_token))
  advance(2400)
  expect((await token(ftd, refresh(second.refresh_token))).status).toBe(400)
  expect(ftd.holds(second.refresh_token)).toBe('expired')
})

test('an access token in the place of a refresh token buys nothing', async () => {
  const { ftd } = await startFtd()
  const { access_token } = await login(ftd)
  expect((await token(ftd, refresh(access_token))).status).toBe(400)
  expect(ftd.counters()).toMatchObject({ spends: 0, refusals: 1 })
})

test('an access token is refused at the instant it expires', async () => {
  const { ftd, advance } = await startFtd()
  const { access_token } = await login(ftd)
  advance(1799)
  expect(await statusOf(ftd, access_token)).toBe(200)
  advance(1)
  expect(await statusOf(ftd, access_token)).toBe(401)
  expect(ftd.counters()).toMatchObject({ authorized: 1, unauthorized: 1 })
})

test('speed shortens answers, claims and true lifetimes alike', async () => {
  const { ftd, advance } = await startFtd({ speed: 60 })
  const pair = await login(ftd)
  expect(pair).toMatchObject({ expires_in: 30, refresh_expires_in: 40 })
  expect(decodeJwt(pair.access_token).exp).toBe(1767225600 + 30)
  advance(30)
  expect(await statusOf(ftd, pair.access_token)).toBe(401)
  const long = await pairOf(ftd, custom((await login(ftd)).access_token))
  expect(long).toMatchObject({ expires_in: 40, refresh_expires_in: 50 })
})

test('at any speed a refresh token outlives its access token', async () => {
  const { ftd } = await startFtd({ speed: 100_000 })
  expect(await login(ftd)).toMatchObject({ expires_in: 1, refresh_expires_in: 2 })
})

test('a custom pair has its own session, subject and lifetimes, which every refresh renews', async () => {
  const { ftd, advance } = await startFtd()
  const admin = await login(ftd)
  const pair = await pairOf(ftd, custom(admin.access_token))
  expect(pair).toMatchObject({ expires_in: 2400, refresh_expires_in: 3000 })
  const claims = decodeJwt(pair.refresh_token)
  expect(claims).toMatchObject({ sub: 'api-client', origin: 'custom', refreshCount: 3 })
  expect(claims.jti).not.toBe(decodeJwt(admin.access_token).jti)
  advance(1000)
  const next = await pairOf(ftd, refresh(pair.refresh_token))
  expect(next).toMatchObject({ expires_in: 2400, refresh_expires_in: 3000 })
  expect(decodeJwt(next.refresh_token)).toMatchObject({
    jti: claims.jti,
    exp: 1767225600 + 1000 + 3000,
    refreshCount: 2,
  })
})

test('a counted chain ends with a refresh token of count 0 that buys nothing', async () => {
  const { ftd } = await startFtd()
  const wishes = { desired_refresh_count: 2 }
  let pair = await pairOf(ftd, custom((await login(ftd)).access_token, wishes))
  const counts = [decodeJwt(pair.refresh_token).refreshCount]
  for (const _ of [1, 2]) {
    pair = await pairOf(ftd, refresh(pair.refresh_token))
    counts.push(decodeJwt(pair.refresh_token).refreshCount)
  }
  expect(counts).toEqual([2, 1, 0])
  expect(ftd.holds(pair.refresh_token)).toBe('spent')
  expect((await token(ftd, refresh(pair.refresh_token))).status).toBe(400)
  expect(ftd.counters().presentedTwice).toBe(0)
})

test('a count of 0 gives an access token alone', async () => {
  const { ftd } = await startFtd()
  const { access_token } = await login(ftd)
  const wishes = { desired_refresh_count: 0, desired_refresh_expires_in: undefined }
  const answer = await pairOf(ftd, custom(access_token, wishes))
  expect(Object.keys(answer)).toEqual(['access_token', 'expires_in', 'token_type'])
  expect(decodeJwt(answer.access_token)).not.toHaveProperty('refreshTokenExpiresAt')
})

test.each([
  ['365 days of access, 395 of refresh', 31_536_000, 34_128_000, 1, 200],
  ['a second more of access', 31_536_001, 34_128_000, 1, 400],
  ['a second more of refresh', 31_536_000, 34_128_001, 1, 400],
  ['refresh no longer than access', 2400, 2400, 1, 400],
  ['refresh no longer than access, but never used', 2400, 2400, 0, 200],
  ['no access at all', 0, 2400, 1, 400],
  ['a negative count', 2400, 3000, -1, 400],
  ['half seconds', 2400.5, 3000, 1, 400],
])('a custom token with %s', async (_, access, refreshSeconds, count, status) => {
  const { ftd } = await startFtd()
  const { access_token } = await login(ftd)
  const wishes = {
    desired_expires_in: access,
    desired_refresh_expires_in: refreshSeconds,
    desired_refresh_count: count,
  }
  expect((await token(ftd, custom(access_token, wishes))).status).toBe(status)
})

test('only a living password-granted access token buys a custom token', async () => {
  const { ftd, advance } = await startFtd()
  const admin = await login(ftd)
  const { access_token } = await pairOf(ftd, custom(admin.access_token))
  expect((await token(ftd, custom(access_token))).status).toBe(400)
  expect((await token(ftd, custom(admin.refresh_token))).status).toBe(400)
  advance(1800)
  expect((await token(ftd, custom(admin.access_token))).status).toBe(400)
})

test('an external user gets no custom token', async () => {
  const { ftd } = await startFtd({ fault: 'external-user' })
  expect((await token(ftd, custom((await login(ftd)).access_token))).status).toBe(400)
})

test.each(['access_token', 'refresh_token'] as const)(
  'revoking by %s ends the whole session at once',
  async (which) => {
    const { ftd } = await startFtd()
    const pair = await login(ftd)
    const { access_token } = pair
    const body = { grant_type: 'revoke_token', access_token, token_to_revoke: pair[which] }
    const response = await token(ftd, body)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ message: 'OK', status_code: 200 })
    expect(await statusOf(ftd, access_token)).toBe(401)
    expect((await token(ftd, refresh(pair.refresh_token))).status).toBe(400)
    expect(ftd.holds(pair.refresh_token)).toBe('revoked')
    expect(ftd.counters()).toMatchObject({ revocations: 1, sessionsAlive: 0 })
  },
)

test('a custom token is revoked by its subject, and others live on', async () => {
  const { ftd } = await startFtd()
  const { access_token } = await login(ftd)
  const doomed = await pairOf(ftd, custom(access_token))
  const other = await pairOf(ftd, custom(access_token, { desired_subject: 'other' }))
  await pairOf(ftd, {
    grant_type: 'revoke_token',
    access_token,
    custom_token_subject_to_revoke: 'api-client',
  })
  expect(await statusOf(ftd, doomed.access_token)).toBe(401)
  expect(await statusOf(ftd, other.access_token)).toBe(200)
  expect(await statusOf(ftd, access_token)).toBe(200)
})

test('a custom token cannot revoke, not even itself', async () => {
  const { ftd } = await startFtd()
  const { access_token } = await pairOf(ftd, custom((await login(ftd)).access_token))
  const body = { grant_type: 'revoke_token', access_token, token_to_revoke: access_token }
  expect((await token(ftd, body)).status).toBe(400)
  expect(await statusOf(ftd, access_token)).toBe(200)
})

test.each([
  ['both tokens null', { access_token: null, token_to_revoke: null }],
  ['nothing to revoke', {}],
  ['a token that nobody issued', { token_to_revoke: 'made-up' }],
  ['a subject that nobody bears', { custom_token_subject_to_revoke: 'nobody' }],
  ['the subject of a password token', { custom_token_subject_to_revoke: 'admin' }],
  [
    'two things to revoke',
    { token_to_revoke: 'made-up', custom_token_subject_to_revoke: 'api-client' },
  ],
])('revoking with %s is 400 and changes nothing', async (_, fields) => {
  const { ftd } = await startFtd()
  const { access_token } = await login(ftd)
  const held = await pairOf(ftd, custom(access_token))
  const response = await token(ftd, { grant_type: 'revoke_token', access_token, ...fields })
  expect(response.status).toBe(400)
  expect(await statusOf(ftd, access_token)).toBe(200)
  expect(await statusOf(ftd, held.access_token)).toBe(200)
})

test('a sixth session silently ends the oldest, an administrator at work included', async () => {
  const { ftd } = await startFtd()
  const admin = ftd.addAdminSession()
  const first = await login(ftd)
  for (const _ of [3, 4, 5]) await login(ftd)
  expect(admin.alive).toBe(true)
  await login(ftd)
  expect(admin.alive).toBe(false)
  expect(await statusOf(ftd, first.access_token)).toBe(200)
  await login(ftd)
  expect(await statusOf(ftd, first.access_token)).toBe(401)
  expect(ftd.holds(first.refresh_token)).toBe('revoked')
  expect(ftd.counters()).toMatchObject({ evictions: 2, sessionsAlive: 5, passwordGrants: 6 })
})

test('a refresh adds no session, and an expired one takes no room', async () => {
  const { ftd, advance } = await startFtd()
  let pair = await login(ftd)
  for (const _ of [1, 2, 3, 4, 5]) pair = await pairOf(ftd, refresh(pair.refresh_token))
  expect(ftd.counters()).toMatchObject({ sessionsAlive: 1, evictions: 0 })
  for (const _ of [2, 3, 4, 5]) await login(ftd)
  advance(2400)
  expect(ftd.counters().sessionsAlive).toBe(0)
  await login(ftd)
  expect(ftd.counters()).toMatchObject({ sessionsAlive: 1, evictions: 0 })
})

test('an administrator can be logged in and looked after over HTTP', async () => {
  const { ftd } = await startFtd()
  const url = `${ftd.url}/_sim/admin-session`
  const made = (await (await fetch(url, { method: 'POST' })).json()) as { id: string }
  expect(await (await fetch(url)).json()).toEqual([{ id: made.id, alive: true }])
  for (const _ of [2, 3, 4, 5, 6]) await login(ftd)
  expect(await (await fetch(url)).json()).toEqual([{ id: made.id, alive: false }])
})

test('`no-refresh-token` leaves the refresh token out, and none is counted as live', async () => {
  const { ftd } = await startFtd()
  const first = await login(ftd)
  ftd.inject({ kind: 'no-refresh-token' })
  const answer = await pairOf(ftd, refresh(first.refresh_token))
  expect(Object.keys(answer)).toEqual(['access_token', 'expires_in', 'token_type'])
  expect(ftd.chains()).toMatchObject([{ issued: 1, tipLive: false }])
})

test('`exhausted-without-refresh` leaves it out at the last counted refresh only', async () => {
  const { ftd } = await startFtd({ fault: 'exhausted-without-refresh' })
  const { access_token } = await login(ftd)
  const pair = await pairOf(ftd, custom(access_token, { desired_refresh_count: 2 }))
  const next = await pairOf(ftd, refresh(pair.refresh_token))
  expect(decodeJwt(next.refresh_token).refreshCount).toBe(1)
  expect(await pairOf(ftd, refresh(next.refresh_token))).not.toHaveProperty('refresh_token')
})

test('an access token outlives the refresh of its pair, unless `refresh-ends-access`', async () => {
  const { ftd } = await startFtd()
  const first = await login(ftd)
  const second = await pairOf(ftd, refresh(first.refresh_token))
  expect(await statusOf(ftd, first.access_token)).toBe(200)
  ftd.inject({ kind: 'refresh-ends-access' })
  const third = await pairOf(ftd, refresh(second.refresh_token))
  expect(await statusOf(ftd, second.access_token)).toBe(401)
  expect(await statusOf(ftd, third.access_token)).toBe(200)
})

test('`expired-408` is how older builds refuse an access token', async () => {
  const { ftd } = await startFtd({ fault: 'expired-408' })
  expect(await statusOf(ftd, 'made-up')).toBe(408)
})

test('`version-401` answers every grant as if its path were wrong', async () => {
  const { ftd } = await startFtd({ fault: 'version-401' })
  const response = await token(ftd, { grant_type: 'password', ...ftd.credential })
  expect(response.status).toBe(401)
})

test('after a reboot no session is left, and a password opens the next', async () => {
  const { ftd } = await startFtd()
  const { access_token, refresh_token } = await login(ftd)
  ftd.inject({ kind: 'rebooted' })
  expect(await statusOf(ftd, access_token)).toBe(401)
  expect((await token(ftd, refresh(refresh_token))).status).toBe(400)
  expect(await statusOf(ftd, (await login(ftd)).access_token)).toBe(200)
})

test('`--fault rebooted` happens once, at the first call that brings a token', async () => {
  const { ftd } = await startFtd({ fault: 'rebooted' })
  expect(await statusOf(ftd, (await login(ftd)).access_token)).toBe(401)
  expect(await statusOf(ftd, (await login(ftd)).access_token)).toBe(200)
})

test('after a failover another unit answers and knows no token', async () => {
  const { ftd } = await startFtd()
  const { access_token } = await login(ftd)
  const serialOf = async (bearer: string) =>
    ((await (await call(ftd, SYSTEM, bearer)).json()) as { serialNumber: string }).serialNumber
  const before = await serialOf(access_token)
  expect(before).toMatch(/^9A[0-9A-F]{8}$/)
  ftd.inject({ kind: 'failover' })
  expect(await statusOf(ftd, access_token)).toBe(401)
  expect(await serialOf((await login(ftd)).access_token)).not.toBe(before)
})

test('the specification needs a bearer and names what the Ansible collection calls', async () => {
  const { ftd } = await startFtd()
  const url = `${ftd.url}/apispec/ngfw.json`
  expect((await fetch(url)).status).toBe(401)
  const headers = { authorization: `Bearer ${(await login(ftd)).access_token}` }
  const spec = (await (await fetch(url, { headers })).json()) as {
    basePath: string
    definitions: Record<string, object>
    paths: Record<string, Record<string, { operationId: string; parameters: object[] }>>
  }
  expect(spec.basePath).toBe('/api/fdm/v6')
  const operations = Object.values(spec.paths).flatMap((path) => Object.values(path))
  expect(operations.map(({ operationId }) => operationId)).toEqual([
    'getNetworkObjectList',
    'addNetworkObject',
    'getNetworkObject',
    'editNetworkObject',
    'deleteNetworkObject',
    'getSystemInformation',
  ])
  for (const [, model] of JSON.stringify(spec).matchAll(/"#\/definitions\/(\w+)"/g)) {
    expect(spec.definitions).toHaveProperty(model ?? '')
  }
})

test('network objects can be listed, made, changed and removed', async () => {
  const { ftd } = await startFtd()
  const { access_token } = await login(ftd)
  const object = { name: 'web', subType: 'HOST', value: '192.0.2.1', type: 'networkobject' }
  const write = (method: string, path: string, body: object) =>
    call(ftd, path, access_token, { method, body: JSON.stringify(body) })
  const made = (await (await write('POST', 'object/networks', object)).json()) as { id: string }
  const path = `object/networks/${made.id}`
  expect(await (await call(ftd, path, access_token)).json()).toMatchObject(object)
  const list = await call(ftd, 'object/networks?limit=1&offset=1', access_token)
  expect(await list.json()).toMatchObject({ items: [{ name: 'web' }], paging: { count: 2 } })
  expect((await write('PUT', path, { ...object, value: '192.0.2.2' })).status).toBe(200)
  const found = await call(ftd, 'object/networks?filter=fts~we', access_token)
  expect(await found.json()).toMatchObject({ items: [{ value: '192.0.2.2' }] })
  expect((await call(ftd, path, access_token, { method: 'DELETE' })).status).toBe(204)
  const gone = await call(ftd, path, access_token)
  expect(gone.status).toBe(404)
  expect(await gone.json()).toMatchObject({ error: { severity: 'ERROR', key: 'General' } })
})

test.each([
  ['a duplicate name', 'any-ipv4', 'HOST', /^Validation failed due to a duplicate name/],
  ['an unknown subtype', 'web', 'PLANET', /^Validation failed/],
])('an object with %s is 422', async (_, name, subType, description) => {
  const { ftd } = await startFtd()
  const { access_token } = await login(ftd)
  const response = await call(ftd, 'object/networks', access_token, {
    method: 'POST',
    body: JSON.stringify({ name, subType, value: '192.0.2.1', type: 'networkobject' }),
  })
  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({
    error: {
      severity: 'ERROR',
      key: 'Validation',
      messages: [{ description: expect.stringMatching(description) }],
    },
  })
})

test('unknown paths are 404 below the API with a bearer, and outside it without', async () => {
  const { ftd } = await startFtd()
  expect((await call(ftd, 'object/nothing')).status).toBe(401)
  expect((await call(ftd, 'object/nothing', (await login(ftd)).access_token)).status).toBe(404)
  expect((await fetch(`${ftd.url}/api/fmc_platform/v1/auth/generatetoken`)).status).toBe(404)
  expect((await fetch(`${ftd.url}/api/fdm/latest/fdm/token`)).status).toBe(405)
})
