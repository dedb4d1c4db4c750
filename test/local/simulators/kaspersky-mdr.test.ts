import { decodeJwt } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { kasperskyMdr, type MdrSimulator } from '../../../lib/local/simulators/kaspersky-mdr.ts'
import type { SimulatorOptions } from '../../../lib/local/simulators/simulator.ts'
import { postTwiceAtOnce } from './at-once.ts'

/** 2026-01-01T00:00:00Z is 1767225600 in seconds. */
const START = new Date('2026-01-01T00:00:00Z')

interface Pair {
  readonly access_token: string
  readonly refresh_token: string
}

async function startMdr(options: SimulatorOptions = {}) {
  const clock = { now: START }
  const mdr = await kasperskyMdr.start({ plain: true, now: () => clock.now, ...options })
  onTestFinished(() => mdr.close())
  const advance = (seconds: number) => {
    clock.now = new Date(clock.now.getTime() + seconds * 1000)
  }
  return { mdr, advance, consoleToken: String(mdr.credential.refreshToken) }
}

function post(mdr: MdrSimulator, path: string, body: unknown, accessToken?: string) {
  return fetch(`${mdr.url}/api/v1/${mdr.credential.clientId}/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      'content-type': 'application/json',
      ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
    },
  })
}

const confirm = (mdr: MdrSimulator, refresh_token: string) =>
  post(mdr, 'session/confirm', { refresh_token })

async function pairOf(mdr: MdrSimulator, refreshToken: string): Promise<Pair> {
  const response = await confirm(mdr, refreshToken)
  expect(response.status).toBe(200)
  return (await response.json()) as Pair
}

const statusOf = async (mdr: MdrSimulator, accessToken?: string) =>
  (await post(mdr, 'incidents/count', {}, accessToken)).status

test('a console token lives 24 h, what it buys 7 days and 1 h, told by `exp` alone', async () => {
  const { mdr, consoleToken } = await startMdr()
  expect(decodeJwt(consoleToken).exp).toBe(1767312000)
  const response = await confirm(mdr, consoleToken)
  const pair = (await response.json()) as Pair
  expect(Object.keys(pair)).toEqual(['access_token', 'refresh_token'])
  expect(decodeJwt(pair.refresh_token).exp).toBe(1767830400)
  expect(decodeJwt(pair.access_token).exp).toBe(1767229200)
})

test('a refresh token is consumed by its first use; the second is refused and counted', async () => {
  const { mdr, consoleToken } = await startMdr()
  await pairOf(mdr, consoleToken)
  const again = await confirm(mdr, consoleToken)
  expect(again.status).toBe(401)
  expect(await again.json()).toEqual({ error: 'refresh token is not valid' })
  expect(mdr.counters()).toMatchObject({ issued: 1, spends: 2, presentedTwice: 1, refusals: 1 })
})

test('of two presentations at the same time one wins', async () => {
  const { mdr, consoleToken } = await startMdr()
  const url = `${mdr.url}/api/v1/${mdr.credential.clientId}/session/confirm`
  const both = await postTwiceAtOnce(url, { refresh_token: consoleToken })
  expect(both).toEqual([200, 401])
})

test('a chain goes on from each pair to the next, and a spent link stays spent', async () => {
  const { mdr, consoleToken } = await startMdr()
  const first = await pairOf(mdr, consoleToken)
  const second = await pairOf(mdr, first.refresh_token)
  const held = [consoleToken, first.refresh_token, second.refresh_token, 'made-up']
  expect(held.map((token) => mdr.holds(token))).toEqual(['spent', 'spent', 'live', 'unknown'])
  expect(mdr.chains()).toMatchObject([{ issued: 3, tipLive: true }])
})

test('an access token works for an hour and not a second longer', async () => {
  const { mdr, advance, consoleToken } = await startMdr()
  const { access_token } = await pairOf(mdr, consoleToken)
  advance(3599)
  expect(await statusOf(mdr, access_token)).toBe(200)
  advance(1)
  expect(await statusOf(mdr, access_token)).toBe(403)
  expect(mdr.counters()).toMatchObject({ authorized: 1, unauthorized: 1 })
})

test.each([
  ['console', 24 * 3600],
  ['API', 7 * 24 * 3600],
])('a refresh token made by the %s is refused once it has expired', async (kind, seconds) => {
  const { mdr, advance, consoleToken } = await startMdr()
  const token = kind === 'API' ? (await pairOf(mdr, consoleToken)).refresh_token : consoleToken
  advance(seconds - 1)
  expect(mdr.holds(token)).toBe('live')
  advance(1)
  expect(mdr.holds(token)).toBe('expired')
  expect((await confirm(mdr, token)).status).toBe(401)
  expect(mdr.counters()).toMatchObject({ presentedTwice: 0, sessionsAlive: 0 })
})

test('speed shortens every lifetime and leaves the clock alone', async () => {
  const { mdr, advance, consoleToken } = await startMdr({ speed: 60 })
  expect(decodeJwt(consoleToken).exp).toBe(1767225600 + 1440)
  const pair = await pairOf(mdr, consoleToken)
  expect(decodeJwt(pair.access_token).exp).toBe(1767225600 + 60)
  expect(decodeJwt(pair.refresh_token).exp).toBe(1767225600 + 10_080)
  advance(60)
  expect(await statusOf(mdr, pair.access_token)).toBe(403)
})

test('at any speed a token lives for one second at least', async () => {
  const { mdr, consoleToken } = await startMdr({ speed: 1_000_000 })
  const pair = await pairOf(mdr, consoleToken)
  expect(decodeJwt(pair.access_token).exp).toBe(1767225601)
  expect(await statusOf(mdr, pair.access_token)).toBe(200)
})

test('no bearer, a made-up one and a refresh token are refused alike', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { refresh_token } = await pairOf(mdr, consoleToken)
  for (const bearer of [undefined, 'made-up', refresh_token]) {
    expect(await statusOf(mdr, bearer)).toBe(403)
  }
  expect(mdr.holds(refresh_token)).toBe('live')
})

test('under another client_id neither token is good, and nothing is consumed', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { access_token, refresh_token } = await pairOf(mdr, consoleToken)
  const other = `${mdr.url}/api/v1/another-client`
  const headers = { authorization: `Bearer ${access_token}` }
  const count = await fetch(`${other}/incidents/count`, { method: 'POST', body: '{}', headers })
  expect(count.status).toBe(403)
  const body = JSON.stringify({ refresh_token })
  expect((await fetch(`${other}/session/confirm`, { method: 'POST', body })).status).toBe(401)
  expect(mdr.holds(refresh_token)).toBe('live')
})

test('JSON is understood whatever its label says, as a public client mislabels it', async () => {
  const { mdr, consoleToken } = await startMdr()
  const response = await fetch(`${mdr.url}/api/v1/${mdr.credential.clientId}/session/confirm`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: JSON.stringify({ refresh_token: consoleToken }),
  })
  expect(response.status).toBe(200)
})

test('only POST is served, and only known paths', async () => {
  const { mdr } = await startMdr()
  const base = `${mdr.url}/api/v1/${mdr.credential.clientId}`
  expect((await fetch(`${base}/session/confirm`)).status).toBe(405)
  expect((await fetch(`${base}/incidents/count`, { method: 'PUT', body: '{}' })).status).toBe(405)
  expect((await fetch(`${base}/nothing`, { method: 'POST', body: '{}' })).status).toBe(404)
  expect((await fetch(mdr.url)).status).toBe(404)
})

test.each([
  ['refuse-200-error', 200, 'application/json', '{"error":"refresh token is not valid"}'],
  ['refuse-401-json', 401, 'application/json', '{"error":"refresh token is not valid"}'],
  ['refuse-403-json', 403, 'application/json', '{"error":"refresh token is not valid"}'],
  ['refuse-400-text', 400, 'text/plain; charset=utf-8', 'Bad Request\n'],
])('%s shapes refusals, and leaves a good token alone', async (fault, status, type, body) => {
  const { mdr, consoleToken } = await startMdr({ fault })
  const refused = await confirm(mdr, 'made-up')
  expect(refused.status).toBe(status)
  expect(refused.headers.get('content-type')).toBe(type)
  expect(await refused.text()).toBe(body)
  await pairOf(mdr, consoleToken)
})

test('`refuse` turns down a good token without consuming it, in the shape of the day', async () => {
  const { mdr, consoleToken } = await startMdr({ fault: 'error-object' })
  mdr.inject({ kind: 'refuse' })
  const refused = await confirm(mdr, consoleToken)
  expect(await refused.json()).toEqual({
    error: { code: 'AUTH', message: 'refresh token is not valid' },
  })
  expect(mdr.holds(consoleToken)).toBe('live')
  await pairOf(mdr, consoleToken)
})

test.each([
  ['expired-401', 401],
  ['expired-403', 403],
])('%s is the answer to a bad access token', async (fault, status) => {
  const { mdr } = await startMdr({ fault })
  expect(await statusOf(mdr, 'made-up')).toBe(status)
})

test('under family-revocation a second presentation ends the chain and its access tokens', async () => {
  const { mdr, consoleToken } = await startMdr({ fault: 'family-revocation' })
  const { access_token, refresh_token } = await pairOf(mdr, consoleToken)
  expect(await statusOf(mdr, access_token)).toBe(200)
  await confirm(mdr, consoleToken)
  expect(mdr.holds(refresh_token)).toBe('revoked')
  expect((await confirm(mdr, refresh_token)).status).toBe(401)
  expect(await statusOf(mdr, access_token)).toBe(403)
})

test('without it a second presentation harms nothing', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { refresh_token } = await pairOf(mdr, consoleToken)
  await confirm(mdr, consoleToken)
  expect(mdr.holds(refresh_token)).toBe('live')
})

test('an operator makes a new console token, which begins a chain of 24 h', async () => {
  const { mdr, advance, consoleToken } = await startMdr()
  await pairOf(mdr, consoleToken)
  advance(100)
  const token = await mdr.newConsoleToken()
  expect(decodeJwt(token).exp).toBe(1767225600 + 100 + 86_400)
  await pairOf(mdr, token)
  expect(mdr.chains()).toHaveLength(2)
  const response = await fetch(`${mdr.url}/_sim/console-token`, { method: 'POST' })
  const { refreshToken } = (await response.json()) as { refreshToken: string }
  expect(mdr.holds(refreshToken)).toBe('live')
})

test('the console can revoke the connection', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { refresh_token } = await pairOf(mdr, consoleToken)
  mdr.revokeConnection()
  expect(mdr.holds(refresh_token)).toBe('revoked')
  expect((await confirm(mdr, refresh_token)).status).toBe(401)
})

test('the list holds as many incidents as the count said, for the very same filters', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { access_token } = await pairOf(mdr, consoleToken)
  const cases: [object, number][] = [
    [{}, 3],
    [{ statuses: ['Closed'] }, 1],
    [{ priorities: ['HIGH', 'NORMAL'], statuses: ['Open'] }, 2],
    // Incident n was made n hours before the start and updated half an hour later.
    [{ min_creation_time: 1767225600000 - 2 * 3_600_000 }, 2],
    [{ min_update_time: 1767225600000 - 3_000_000 }, 1],
  ]
  for (const [filters, expected] of cases) {
    const count = await post(mdr, 'incidents/count', filters, access_token)
    expect(await count.json()).toEqual({ count: expected })
    const list = await post(mdr, 'incidents/list', filters, access_token)
    expect(await list.json()).toHaveLength(expected)
  }
})

test('every incident has the members without which the published client stops', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { access_token } = await pairOf(mdr, consoleToken)
  const list = await post(mdr, 'incidents/list', {}, access_token)
  for (const row of (await list.json()) as Record<string, unknown>[]) {
    expect(row).toMatchObject({
      incident_id: expect.any(String),
      incident_number: expect.any(Number),
      attachments: expect.any(Array),
      comments: expect.any(Array),
      responses: expect.any(Array),
    })
    expect(String(row.creation_time)).toMatch(/^\d{13}$/)
    expect(String(row.update_time)).toMatch(/^\d{13}$/)
  }
})

test('assets come in pages', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { access_token } = await pairOf(mdr, consoleToken)
  const count = await post(mdr, 'assets/count', { version: 2 }, access_token)
  expect(await count.json()).toEqual({ count: 2 })
  const page = { page: 2, page_size: 1, sort: 'host_name:desc', fields: ['host_name'] }
  const list = await post(mdr, 'assets/list', page, access_token)
  expect(await list.json()).toEqual([{ host_name: 'HOST-1' }])
})

test('a comment made on an incident is listed with it', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { access_token } = await pairOf(mdr, consoleToken)
  const comment = { incident_id: 'incident-2', text: 'seen' }
  await post(mdr, 'comments/create', comment, access_token)
  const list = await post(mdr, 'comments/list', { incident_id: 'incident-2' }, access_token)
  expect(await list.json()).toMatchObject([{ text: 'seen' }])
})

test('an uploaded attachment can be downloaded', async () => {
  const { mdr, consoleToken } = await startMdr()
  const { access_token } = await pairOf(mdr, consoleToken)
  const body = new FormData()
  body.set('file', new Blob(['content']), 'note.txt')
  body.set('meta', JSON.stringify({ incident_id: 'incident-2' }))
  const upload = await fetch(`${mdr.url}/api/v1/${mdr.credential.clientId}/attachments/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${access_token}` },
    body,
  })
  const { attachment_id } = (await upload.json()) as { attachment_id: string }
  const download = await post(mdr, 'attachments/download', { attachment_id }, access_token)
  expect(await download.text()).toBe('content')
})
