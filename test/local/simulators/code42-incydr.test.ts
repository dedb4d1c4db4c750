import { createHmac } from 'node:crypto'
import { request as httpsRequest } from 'node:https'
import { decodeJwt } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { code42Incydr, type IncydrSimulator } from '../../../lib/local/simulators/code42-incydr.ts'
import type { SimulatorOptions } from '../../../lib/local/simulators/simulator.ts'
import { postTwiceAtOnce } from './at-once.ts'

/** 2026-01-01T00:00:00Z is 1767225600 in seconds, the first instant of a step of 30 s. */
const START = new Date('2026-01-01T00:00:00Z')

async function startIncydr(options: SimulatorOptions = {}) {
  const clock = { now: START }
  const incydr = await code42Incydr.start({ plain: true, now: () => clock.now, ...options })
  onTestFinished(() => incydr.close())
  return {
    incydr,
    credential: incydr.credential as Record<string, string>,
    clock,
    advance(seconds: number) {
      clock.now = new Date(clock.now.getTime() + seconds * 1000)
    },
  }
}

const basic = (name: unknown, secret: unknown) =>
  `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
const clientBasic = ({ credential: { clientId, clientSecret } }: IncydrSimulator) =>
  basic(clientId, clientSecret)

/** As the vendor's SDK mints: Basic, and nothing else. */
const mint = (incydr: IncydrSimulator, authorization = clientBasic(incydr)) =>
  fetch(`${incydr.url}/v1/oauth`, { method: 'POST', headers: { authorization } })

const tokenOf = async (incydr: IncydrSimulator) =>
  ((await (await mint(incydr)).json()) as { access_token: string }).access_token

const get = (incydr: IncydrSimulator, path: string, token: string) =>
  fetch(`${incydr.url}${path}`, { headers: { authorization: `Bearer ${token}` } })

/** RFC 6238 by its text, with no library: SHA-1, 6 digits, 30 s. */
function codeAt(base32: string, now: Date): string {
  const bits = [...base32]
    .map((letter) =>
      'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
    )
    .join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(now.getTime() / 30_000)))
  const digest = createHmac('sha1', key).update(counter).digest()
  const offset = digest.readUInt8(19) & 0x0f
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

function logIn(
  incydr: IncydrSimulator,
  code: string | undefined,
  { path = '/api/v3/auth/jwt?useBody=true', password = incydr.credential.password } = {},
) {
  const authorization = basic(incydr.credential.username, password)
  const headers = { authorization, ...(code !== undefined && { 'totp-auth': code }) }
  return fetch(`${incydr.url}${path}`, { headers })
}

const refresh = (incydr: IncydrSimulator, refreshToken: unknown) =>
  fetch(`${incydr.url}/v1/refresh-token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refreshToken }),
  })

test('a mint as the vendor’s SDK sends it gives a bearer of 900 s that tells its tenant', async () => {
  const { incydr } = await startIncydr()
  const response = await mint(incydr)
  expect(response.status).toBe(200)
  const body = (await response.json()) as { access_token: string }
  expect(body).toEqual({
    access_token: expect.any(String),
    token_type: 'bearer',
    expires_in: 900,
  })
  const { tenantUid } = decodeJwt(body.access_token)
  const customer = await get(incydr, '/v1/customer', body.access_token)
  expect(await customer.json()).toEqual({
    name: expect.any(String),
    registrationKey: expect.any(String),
    tenantId: tenantUid,
  })
})

const form = (fields: Record<string, string>) => new URLSearchParams(fields)

test.each([
  ['bare', '/v1/oauth', true, undefined],
  ['query', '/v1/oauth?grant_type=client_credentials', true, undefined],
  ['form and header', '/v1/oauth', true, { grant_type: 'client_credentials' }],
  ['form alone', '/v1/oauth', false, { grant_type: 'client_credentials' }],
  ['console host', '/api/v3/oauth/token?grant_type=client_credentials', true, undefined],
])('the mint takes the spelling: %s', async (_title, path, inHeader, fields) => {
  const { incydr, credential } = await startIncydr()
  const { clientId = '', clientSecret = '' } = credential
  const body =
    fields &&
    form({ ...fields, ...(inHeader ? {} : { client_id: clientId, client_secret: clientSecret }) })
  const response = await fetch(`${incydr.url}${path}`, {
    method: 'POST',
    ...(inHeader && { headers: { authorization: clientBasic(incydr) } }),
    ...(body && { body }),
  })
  expect(await response.json()).toMatchObject({ token_type: 'bearer', expires_in: 900 })
})

test.each([
  [
    'a wrong secret',
    401,
    'invalid_client',
    (id: string) => ({ headers: { authorization: basic(id, 'no') } }),
  ],
  ['no credential', 401, 'invalid_client', () => ({})],
  [
    'another grant',
    400,
    'unsupported_grant_type',
    (id: string, secret: string) => ({
      headers: { authorization: basic(id, secret) },
      body: form({ grant_type: 'password' }),
    }),
  ],
  [
    'two credentials at once',
    400,
    'invalid_request',
    (id: string, secret: string) => ({
      headers: { authorization: basic(id, secret) },
      body: form({ client_id: id, client_secret: secret }),
    }),
  ],
])('the mint refuses %s', async (_title, status, error, init) => {
  const { incydr, credential } = await startIncydr()
  const { clientId = '', clientSecret = '' } = credential
  const made: RequestInit = init(clientId, clientSecret)
  const response = await fetch(`${incydr.url}/v1/oauth`, { method: 'POST', ...made })
  expect([response.status, await response.json()]).toEqual([status, { error }])
  expect(incydr.counters()).toMatchObject({ issued: 0, refusals: 1 })
})

test('a token works for 900 s and not a second longer, and a dead one is 401 everywhere', async () => {
  const { incydr, advance } = await startIncydr()
  const token = await tokenOf(incydr)
  advance(899)
  expect((await get(incydr, '/v1/customer', token)).status).toBe(200)
  advance(1)
  for (const path of ['/v1/customer', '/v1/users', '/api/v3/customer/my', '/api/v1/User/my']) {
    expect((await get(incydr, path, token)).status).toBe(401)
  }
  expect(incydr.counters()).toMatchObject({ authorized: 1, unauthorized: 4, sessionsAlive: 0 })
})

test('minting again leaves the former token alive', async () => {
  const { incydr } = await startIncydr()
  const [first] = [await tokenOf(incydr), await tokenOf(incydr)]
  expect((await get(incydr, '/v1/customer', first)).status).toBe(200)
  expect(incydr.counters()).toMatchObject({ issued: 2, sessionsAlive: 2 })
})

test('what py42 and the SDK read first is there', async () => {
  const { incydr, credential } = await startIncydr()
  const token = await tokenOf(incydr)
  const json = async (path: string) => (await get(incydr, path, token)).json()
  const { tenantUid } = decodeJwt(token)
  expect(await json('/api/v3/customer/my')).toEqual({ data: { tenantUid } })
  expect(await json('/api/v1/User/my')).toEqual({ data: { username: credential.username } })
  expect(await json('/v1/users?page=1&pageSize=1')).toEqual({ users: [], totalCount: 0 })
  const configuration = await fetch(`${incydr.url}/api/v3/LoginConfiguration?username=nobody`)
  expect(await configuration.json()).toEqual({ data: { loginType: 'LOCAL_2FA' } })
  expect((await get(incydr, '/v1/nothing', token)).status).toBe(404)
})

test('speed shortens expires_in to a whole number and leaves the clock alone', async () => {
  const { incydr, advance } = await startIncydr({ speed: 7 })
  const { access_token, expires_in } = (await (await mint(incydr)).json()) as {
    access_token: string
    expires_in: number
  }
  expect(expires_in).toBe(129)
  advance(129)
  expect((await get(incydr, '/v1/customer', access_token)).status).toBe(401)
})

test('the console’s reset cuts the former secret off at once', async () => {
  const { incydr } = await startIncydr()
  const before = clientBasic(incydr)
  const response = await fetch(`${incydr.url}/_sim/reset-secret`, { method: 'POST' })
  const { clientSecret } = (await response.json()) as { clientSecret: string }
  expect((await mint(incydr, before)).status).toBe(401)
  expect((await mint(incydr, basic(incydr.credential.clientId, clientSecret))).status).toBe(200)
})

test.each([
  '/api/v3/auth/jwt?useBody=true',
  '/c42api/v3/auth/jwt?useBody=True',
  '/v1/auth?useBody=TRUE',
])('a login at %s with a fresh code gives a token of 30 min in the body', async (path) => {
  const { incydr, credential, clock, advance } = await startIncydr()
  const response = await logIn(incydr, codeAt(credential.totpSecret ?? '', clock.now), { path })
  expect(response.status).toBe(200)
  const { data } = (await response.json()) as { data: { v3_user_token: string } }
  advance(1799)
  expect((await get(incydr, '/api/v1/User/my', data.v3_user_token)).status).toBe(200)
  advance(1)
  expect((await get(incydr, '/api/v1/User/my', data.v3_user_token)).status).toBe(401)
  expect(incydr.counters().passwordGrants).toBe(1)
})

test('without useBody the token comes in a cookie', async () => {
  const { incydr, credential, clock } = await startIncydr()
  const code = codeAt(credential.totpSecret ?? '', clock.now)
  const response = await logIn(incydr, code, { path: '/api/v3/auth/jwt' })
  expect(response.headers.get('set-cookie')).toMatch(/^v3_user_token=/)
  expect(await response.json()).toEqual({ data: null, error: null })
})

test('a code is used up by a login that succeeded, not by one that was refused', async () => {
  const { incydr, credential, clock, advance } = await startIncydr()
  const code = codeAt(credential.totpSecret ?? '', clock.now)
  for (let twice = 0; twice < 2; twice++) {
    expect((await logIn(incydr, code, { password: 'wrong' })).status).toBe(401)
  }
  expect((await logIn(incydr, code)).status).toBe(200)
  const again = await logIn(incydr, code)
  expect(again.status).toBe(401)
  expect(await again.text()).toContain('TIME_BASED_ONE_TIME_PASSWORD_REQUIRED')
  advance(30)
  expect((await logIn(incydr, code)).status).toBe(401)
  expect((await logIn(incydr, codeAt(credential.totpSecret ?? '', clock.now))).status).toBe(200)
})

test.each([
  ['none', () => undefined, 401],
  ['of the step before', (seed: string) => codeAt(seed, new Date(START.getTime() - 30_000)), 200],
  ['of two steps before', (seed: string) => codeAt(seed, new Date(START.getTime() - 60_000)), 401],
])('a code: %s', async (_title, code, status) => {
  const { incydr, credential } = await startIncydr()
  expect((await logIn(incydr, code(credential.totpSecret ?? ''))).status).toBe(status)
})

test('a wrong password is text, and says nothing of the code', async () => {
  const { incydr } = await startIncydr()
  const response = await logIn(incydr, undefined, { password: 'wrong' })
  expect([response.status, await response.text()]).toEqual([401, 'Could not authenticate user\n'])
})

test('codes are not compressed by speed, so a user’s token lives for two of their steps at least', async () => {
  const { incydr, credential, clock } = await startIncydr({ speed: 600 })
  const response = await logIn(incydr, codeAt(credential.totpSecret ?? '', clock.now))
  const { data } = (await response.json()) as { data: { v3_user_token: string } }
  expect(decodeJwt(data.v3_user_token).exp).toBe(1767225660)
})

test('a refresh token buys one pair, and the second presentation is counted', async () => {
  const { incydr, credential } = await startIncydr()
  const response = await refresh(incydr, credential.refreshToken)
  const pair = (await response.json()) as Record<string, { tokenValue: string }>
  expect(pair).toEqual({
    accessToken: { tokenValue: expect.any(String), expiresAt: '2026-01-01T00:30:00.000Z' },
    refreshToken: { tokenValue: expect.any(String), expiresAt: '2026-01-01T12:00:00.000Z' },
  })
  const again = await refresh(incydr, credential.refreshToken)
  expect(again.status).toBe(401)
  expect(incydr.counters()).toMatchObject({ spends: 2, presentedTwice: 1, refusals: 1 })
  expect(incydr.holds(pair.refreshToken?.tokenValue ?? '')).toBe('live')
  expect((await get(incydr, '/v1/users', pair.accessToken?.tokenValue ?? '')).status).toBe(200)
})

test('of two presentations at the same time one wins', async () => {
  const { incydr, credential } = await startIncydr()
  const { refreshToken } = credential
  const both = await postTwiceAtOnce(`${incydr.url}/v1/refresh-token`, { refreshToken })
  expect(both.toSorted()).toEqual([200, 401])
})

test('a refresh token that nobody was given begins no chain', async () => {
  const { incydr } = await startIncydr()
  expect(incydr.chains()).toEqual([])
  const { refreshToken } = incydr.credential
  expect(incydr.holds(String(refreshToken))).toBe('live')
  expect(incydr.credential.refreshToken).toBe(refreshToken)
  expect(incydr.chains()).toHaveLength(1)
})

test.each([
  ['no-expires-in', undefined],
  ['expires-in-zero', 0],
  ['expires-in-negative', -900],
  ['expires-in-text', '900'],
  ['expires-in-huge', 1e12],
])('%s shows in the answer to a mint', async (fault, expires_in) => {
  const { incydr } = await startIncydr({ fault })
  expect(((await (await mint(incydr)).json()) as Record<string, unknown>).expires_in).toBe(
    expires_in,
  )
})

test('faults of the environment strike before the tenant is asked', async () => {
  const { incydr } = await startIncydr()
  incydr.inject({ kind: 'rate-limited' })
  const limited = await mint(incydr)
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '5'])
  incydr.inject({ kind: 'redirect' })
  const headers = { authorization: clientBasic(incydr) }
  const init: RequestInit = { method: 'POST', headers, redirect: 'manual' }
  const redirected = await fetch(`${incydr.url}/v1/oauth`, init)
  expect([redirected.status, redirected.headers.get('location')]).toEqual([
    302,
    'https://sso.example.test/login',
  ])
  incydr.inject({ kind: 'nested-data' })
  expect(incydr.counters().issued).toBe(0)
  const nested = await fetch(`${incydr.url}/api/v3/oauth/token`, { method: 'POST', headers })
  expect(await nested.json()).toMatchObject({ data: { expires_in: 900 } })
})

test('the printed certificate alone verifies the server, by address and by name', async () => {
  const { incydr } = await startIncydr({ plain: false })
  for (const host of ['127.0.0.1', 'localhost']) {
    const url = `https://${host}:${new URL(incydr.url).port}/v1/oauth`
    const headers = { authorization: clientBasic(incydr) }
    const status = await new Promise((resolve, reject) => {
      const call = httpsRequest(url, { method: 'POST', ca: incydr.ca, headers, family: 4 })
      call.on('response', (response) => resolve(response.resume().statusCode))
      call.on('error', reject).end()
    })
    expect(status).toBe(200)
  }
})
