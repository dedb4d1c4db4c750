import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { createSecureContext, type TLSSocket } from 'node:tls'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  type KicsSimulator,
  kicsForNetworks,
} from '../../../lib/local/simulators/kics-for-networks.ts'
import type { Credential } from '../../../lib/local/simulators/simulator.ts'

const START = new Date('2026-01-01T00:00:00Z')
const TOKEN = '/kics/api/auth/v4/token'
const clock = { now: START }
let kics: KicsSimulator

// One for all: its keys take longer to make than everything else. Counters are compared, not read.
beforeAll(async () => {
  kics = await kicsForNetworks.start({ now: () => clock.now })
})
afterEach(() => {
  kics.clearFaults()
  clock.now = START
})
afterAll(() => kics.close())

interface Options {
  readonly method?: string
  readonly shown?: Credential | 'nothing'
  readonly bearer?: string
  readonly headers?: Record<string, string | number>
  readonly body?: string
  readonly of?: KicsSimulator
}

let latest: Credential | undefined

/** A call over a connection of its own; the connector's certificate is shown unless another is. */
async function ask(path: string, options: Options = {}) {
  const { method = 'POST', bearer, headers = {}, body, of = kics } = options
  const shown = options.shown ?? latest ?? of.credential
  const call = request(`${of.url}${path}`, {
    method,
    agent: false,
    ca: of.ca,
    headers: { ...headers, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) },
    ...(shown === 'nothing'
      ? {}
      : { cert: String(shown.certificate), key: String(shown.privateKey) }),
  })
  call.end(body)
  const [response] = await once(call, 'response')
  return {
    status: Number(response.statusCode),
    headers: response.headers as Record<string, string>,
    socket: response.socket as TLSSocket,
    body: await text(response),
  }
}

const failureOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => expect.fail('it was answered'),
    (error: NodeJS.ErrnoException) => `${error.code} ${error.message}`,
  )

interface Pair {
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
}

async function pair(query = 'grant_type=certificate', options: Options = {}): Promise<Pair> {
  const { status, body } = await ask(`${TOKEN}?${query}`, options)
  expect(status).toBe(200)
  return JSON.parse(body)
}

const refresh = (token: string) => `grant_type=refresh_token&refresh_token=${token}`
const status = async (path: string, options?: Options) => (await ask(path, options)).status
const about = (bearer?: string, options: Options = {}) =>
  status('/kics/api/v3/about', {
    method: 'GET',
    shown: 'nothing',
    ...(bearer === undefined ? {} : { bearer }),
    ...options,
  })

test('the certificate buys a pair of ten hours, in the vendor’s own spelling', async () => {
  const given = await pair()
  expect(Object.keys(given)).toEqual(['access_token', 'token_type', 'expires_in', 'refresh_token'])
  expect(given).toMatchObject({ token_type: 'bearer', expires_in: 36_000 })
  expect(decodeJwt(given.access_token).exp).toBe(1767261600)
})

test.each(['/kics/api', '/kics4net/api'])(
  'tokens and calls are the same below %s, of both versions',
  async (prefix) => {
    for (const version of ['v3', 'v4']) {
      const { status, body } = await ask(`${prefix}/auth/${version}/token?grant_type=certificate`)
      expect(status).toBe(200)
      const { access_token: bearer } = JSON.parse(body)
      const told = await ask(`${prefix}/${version}/about`, {
        method: 'GET',
        shown: 'nothing',
        bearer,
      })
      expect(JSON.parse(told.body)).toEqual({
        version: '4.1.0.0',
        updateableComponents: [{ type: 'Icr', releaseTime: '2024-01-02T03:04:05' }],
      })
    }
  },
)

test('a refresh token buys one pair; presented again it is refused and counted', async () => {
  const before = kics.counters()
  const first = await pair()
  const second = await pair(refresh(first.refresh_token))
  expect(kics.holds(first.refresh_token)).toBe('spent')
  expect(await status(`${TOKEN}?${refresh(first.refresh_token)}`)).toBe(401)
  expect(kics.holds(second.refresh_token)).toBe('live')
  const after = kics.counters()
  expect(after.spends - before.spends).toBe(2)
  expect(after.presentedTwice - before.presentedTwice).toBe(1)
  expect(after.refusals - before.refusals).toBe(1)
  expect(after.issued - before.issued).toBe(2)
  expect(await about(first.access_token)).toBe(200)
})

test('of two presentations at the same time one wins', async () => {
  const { refresh_token } = await pair()
  const both = [0, 1].map(() => status(`${TOKEN}?${refresh(refresh_token)}`))
  expect((await Promise.all(both)).toSorted()).toEqual([200, 401])
})

test('with `multi-use` a refresh token works until it expires', async () => {
  kics.inject({ kind: 'multi-use', times: 'always' })
  const before = kics.counters().presentedTwice
  const { refresh_token } = await pair()
  await pair(refresh(refresh_token))
  await pair(refresh(refresh_token))
  expect(kics.counters().presentedTwice).toBe(before)
  clock.now = new Date('2026-01-01T10:00:00Z')
  expect(await status(`${TOKEN}?${refresh(refresh_token)}`)).toBe(401)
})

test('both tokens end after `expires_in`, 60 s with `short-lived`', async () => {
  kics.inject({ kind: 'short-lived' })
  const { access_token, refresh_token, expires_in } = await pair()
  expect(expires_in).toBe(60)
  clock.now = new Date('2026-01-01T00:00:59Z')
  expect(await about(access_token)).toBe(200)
  expect(kics.holds(refresh_token)).toBe('live')
  clock.now = new Date('2026-01-01T00:01:00Z')
  expect(await about(access_token)).toBe(401)
  expect(kics.holds(refresh_token)).toBe('expired')
  expect(await status(`${TOKEN}?${refresh(refresh_token)}`)).toBe(401)
})

test.each([
  ['grant_type=certificate', 'in the body'],
  ['', 'nowhere'],
])('a grant that is not in the query is refused: %s', async (body) => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  expect(await status(TOKEN, { body, headers })).toBe(400)
})

test('a refresh token in the body is refused and not used up', async () => {
  const { refresh_token } = await pair()
  const body = JSON.stringify({ refresh_token })
  expect(await status(`${TOKEN}?grant_type=refresh_token`, { body })).toBe(401)
  expect(kics.holds(refresh_token)).toBe('live')
})

test.each([
  ['grant_type=password', 400],
  ['grant_type=refresh_token', 401],
  ['grant_type=refresh_token&refresh_token=', 401],
  ['grant_type=refresh_token&refresh_token=made-up', 401],
])('a grant that is not one is refused: %s', async (query, expected) => {
  expect(await status(`${TOKEN}?${query}`)).toBe(expected)
})

test('only POST grants, with or without a length', async () => {
  const path = `${TOKEN}?grant_type=certificate`
  expect(await status(path, { method: 'GET' })).toBe(405)
  expect(await status(path, { headers: { 'content-length': 0 } })).toBe(200)
  expect(await status(path, { headers: { 'transfer-encoding': 'chunked' } })).toBe(200)
  expect(await status('/kics/api/auth/v5/token')).toBe(404)
  expect(await status('/kics/v3/about', { method: 'GET' })).toBe(404)
})

test('a call wants the access token, as bearer, and no certificate', async () => {
  const { access_token, refresh_token } = await pair()
  expect(await about(access_token)).toBe(200)
  for (const bad of [undefined, 'made-up', refresh_token]) expect(await about(bad)).toBe(401)
  const inQuery = `/kics/api/v3/about?access_token=${access_token}`
  expect(await status(inQuery, { method: 'GET' })).toBe(401)
})

test.each(['devices', 'events'])('%s are queried as the public script does', async (kind) => {
  const { access_token: bearer } = await pair()
  const query = (body: string) =>
    ask(`/kics/api/v4/${kind}/query`, {
      shown: 'nothing',
      bearer,
      headers: { 'content-type': 'application/json-patch+json' },
      body,
    })
  const one = await query('{"filter":[],"sort":[],"offset":0,"limit":1}')
  expect(JSON.parse(one.body)).toEqual({ values: [expect.objectContaining({ id: 1 })] })
  const next = await query('{"filter":[],"sort":[],"offset":1,"limit":1}')
  expect(JSON.parse(next.body)).toEqual({ values: [expect.objectContaining({ id: 2 })] })
  expect((await query('not JSON')).status).toBe(400)
  expect(await status(`/kics/api/v4/${kind}/query`, { body: '{}' })).toBe(401)
})

test('errors have no body, or a JSON one with `error-json`', async () => {
  expect((await ask(TOKEN)).body).toBe('')
  kics.inject({ kind: 'error-json' })
  const { body, headers } = await ask(TOKEN)
  expect(JSON.parse(body)).toEqual({ status: 400, message: 'grant_type' })
  expect(headers['content-type']).toBe('application/json')
})

test.each([
  ['refuse-400', 400],
  ['refuse-403', 403],
])('%s shapes refusals', async (kind, expected) => {
  kics.inject({ kind, times: 'always' })
  expect(await status(`${TOKEN}?${refresh('made-up')}`)).toBe(expected)
  await pair()
})

test('a blocked user gets no token, and a living one does nothing', async () => {
  const { access_token, refresh_token } = await pair()
  kics.inject({ kind: 'blocked-user', times: 'always' })
  expect(await status(`${TOKEN}?grant_type=certificate`)).toBe(403)
  expect(await status(`${TOKEN}?${refresh(refresh_token)}`)).toBe(403)
  expect(await about(access_token)).toBe(403)
  kics.clearFaults()
  expect(await about(access_token)).toBe(200)
  expect(kics.holds(refresh_token)).toBe('live')
})

test.each([
  ['expires-zero', 0],
  ['expires-negative', -36_000],
  ['expires-string', '36000'],
  ['expires-huge', 2_592_001],
])('%s makes nonsense of `expires_in` alone', async (kind, expires_in) => {
  kics.inject({ kind })
  const odd = await pair()
  expect(odd.expires_in).toBe(expires_in)
  expect(await about(odd.access_token)).toBe(200)
})

test.each([
  ['clock-ahead', 1767262200],
  ['clock-behind', 1767261000],
])('%s shows in the claims, not in the life of a token', async (kind, exp) => {
  kics.inject({ kind })
  const { access_token, expires_in } = await pair()
  expect(decodeJwt(access_token).exp).toBe(exp)
  expect(expires_in).toBe(36_000)
})

test('the remaining odd answers: no refresh token, one with a line break, a redirect', async () => {
  kics.inject({ kind: 'no-refresh-token' })
  expect(await pair()).not.toHaveProperty('refresh_token')
  kics.inject({ kind: 'line-break' })
  expect((await pair()).refresh_token).toMatch(/\r\n/)
  kics.inject({ kind: 'redirect' })
  const { status, headers } = await ask(`${TOKEN}?grant_type=certificate`)
  expect([status, headers.location]).toEqual([302, 'https://elsewhere.invalid/token'])
})

test('a missing certificate gets 401 where tokens are granted and nowhere else', async () => {
  const { access_token, refresh_token } = await pair()
  for (const query of ['grant_type=certificate', refresh(refresh_token)]) {
    expect(await status(`${TOKEN}?${query}`, { shown: 'nothing' })).toBe(401)
  }
  expect(kics.holds(refresh_token)).toBe('live')
  expect(await about(access_token)).toBe(200)
})

test('a new package supersedes the certificate at once: 401, a TLS alert, or a dropped connection', async () => {
  const former = latest ?? kics.credential
  const { access_token } = await pair()
  latest = await kics.newPackage()
  const path = `${TOKEN}?grant_type=certificate`
  expect(await status(path, { shown: former })).toBe(401)
  await pair()
  // The token that the former one bought lives on.
  expect(await about(access_token)).toBe(200)

  kics.inject({ kind: 'certificate-alert', times: 'always' })
  expect(await failureOf(ask(path, { shown: former }))).toContain('alert certificate unknown')
  expect((await ask(path)).socket.getProtocol()).toBe('TLSv1.2')
  expect(await about(access_token)).toBe(200)

  kics.clearFaults()
  kics.inject({ kind: 'require-certificate', times: 'always' })
  expect(await failureOf(ask(path, { shown: former }))).toMatch(/ECONNRESET|EPIPE/)
  expect(await failureOf(about(access_token))).toContain('alert certificate required')
  expect(await about(access_token, { shown: latest })).toBe(200)
  await pair()
})

test('the package holds what the PEM text holds', () => {
  const { pfx, pfxPassword, certificate, serverCertificate } = kics.credential
  // Throws unless key and certificate in it belong together and the password opens it.
  createSecureContext({ pfx: Buffer.from(String(pfx), 'base64'), passphrase: String(pfxPassword) })
  expect(serverCertificate).toBe(kics.ca)
  expect(new X509Certificate(String(certificate)).subject).toBe('CN=connector')
})

test('the server’s certificate is its own authority, for the address and for the name', async () => {
  const { socket } = await ask(`${TOKEN}?grant_type=certificate`)
  expect(socket.authorized).toBe(true)
  const certificate = new X509Certificate(String(kics.ca))
  expect(certificate.issuer).toBe(certificate.subject)
  expect(certificate.subjectAltName).toBe('IP Address:127.0.0.1, DNS:localhost')
  expect(certificate.verify(certificate.publicKey)).toBe(true)
})

test('speed shortens `expires_in` and the life of a token alike, to whole seconds', async () => {
  const fast = await kicsForNetworks.start({ speed: 7001, plain: true, now: () => clock.now })
  onTestFinished(() => fast.close())
  const { access_token, expires_in } = await controlled(fast)
  expect(expires_in).toBe(5)
  const bearer = { headers: { authorization: `Bearer ${access_token}` } }
  const told = async () => (await fetch(`${fast.url}/kics/api/v3/about`, bearer)).status
  clock.now = new Date('2026-01-01T00:00:04Z')
  expect(await told()).toBe(200)
  clock.now = new Date('2026-01-01T00:00:05Z')
  expect(await told()).toBe(401)
  // Without TLS nobody can show a certificate.
  const grant = `${fast.url}${TOKEN}?grant_type=certificate`
  expect((await fetch(grant, { method: 'POST' })).status).toBe(401)
})

async function controlled(of: KicsSimulator): Promise<Pair> {
  const response = await fetch(`${of.url}/_sim/token`, { method: 'POST' })
  return (await response.json()) as Pair
}

test('an administrator makes a new package over the controls', async () => {
  const { status, body } = await ask('/_sim/new-package')
  expect(status).toBe(200)
  latest = JSON.parse(body)
  await pair()
})
