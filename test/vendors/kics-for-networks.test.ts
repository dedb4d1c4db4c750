import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { isRotatorError } from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { TokenSet } from '../../lib/core/vendor.ts'
import { createHttp } from '../../lib/http.ts'
import {
  type KicsSimulator,
  kicsForNetworks as kind,
} from '../../lib/local/simulators/kics-for-networks.ts'
import { kicsForNetworks } from '../../lib/vendors/kics-for-networks.ts'
import * as packages from './kics-for-networks.packages.ts'
import {
  byCertificate,
  byRefresh,
  call,
  canned,
  clientOf,
  connectionOf,
  grantOf,
  now,
  stored,
} from './kics-for-networks.setup.ts'

let kics: KicsSimulator
let credential: Record<string, unknown>

// One for all: its keys take longer to make than everything else. No test counts what another did.
beforeAll(async () => {
  kics = await kind.start({ now: () => now })
  credential = stored(kics.credential)
})
afterEach(() => kics.clearFaults())
afterAll(() => kics.close())

const client = (more?: object, prefix?: string) =>
  clientOf(connectionOf(kics.url, more, prefix), credential)

async function pair(one = client()): Promise<{ tokens: TokenSet; refreshToken: string }> {
  const tokens = await byCertificate(one)
  return { tokens, refreshToken: tokens.refreshToken?.reveal() ?? expect.fail('no refresh token') }
}

const failureOf = (attempt: Promise<unknown>): Promise<Error> =>
  attempt.then(
    () => expect.fail('it was answered'),
    (error: Error) => error,
  )

const answer = {
  access_token: 'aaa.bbb.ccc',
  token_type: 'bearer',
  expires_in: 36_000,
  refresh_token: 'ddd.eee.fff',
}

test('the certificate alone buys a pair that lives as long as the answer says', async () => {
  const tokens = await byCertificate(client())
  const tenHoursOn = new Date('2026-01-01T10:00:00Z')
  expect(tokens).toMatchObject({
    tokenType: 'Bearer',
    grant: 'certificate',
    issuedAt: now,
    expiresAt: tenHoursOn,
    refreshExpiresAt: tenHoursOn,
  })
  expect(tokens.refreshToken).toBeInstanceOf(Redacted)
})

test('a refresh buys the next pair and uses the refresh token up', async () => {
  const { tokens, refreshToken } = await pair()
  const next = await byRefresh(client(), refreshToken)
  expect(next.grant).toBe('refresh_token')
  expect(next.accessToken.reveal()).not.toBe(tokens.accessToken.reveal())
  expect(kics.holds(refreshToken)).toBe('spent')
  expect(kics.holds(next.refreshToken?.reveal() ?? '')).toBe('live')
})

test.each(['/kics/api', '/kics4net/api'])('both prefixes are one API: %s', async (prefix) => {
  const one = client({}, prefix)
  const tokens = await byCertificate(one)
  await expect(one.verify?.(tokens, call())).resolves.toMatchObject({})
})

test('a grant is a POST with everything in the query and nothing in the body', async () => {
  const { origin, received } = await canned(200, answer)
  const one = clientOf(connectionOf(origin), credential)
  await byCertificate(one)
  await byRefresh(one, 'a+b/c=&d')
  expect(received.map(({ method, url, body }) => [method, url, body])).toEqual([
    ['POST', '/kics/api/auth/v4/token?grant_type=certificate', ''],
    ['POST', '/kics/api/auth/v4/token?grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%26d', ''],
  ])
  for (const { headers } of received) {
    expect(headers['content-length']).toBe('0')
    expect(headers['content-type']).toBeUndefined()
    expect(headers.authorization).toBeUndefined()
  }
})

test('token URL and API base are two addresses, neither made of the other', async () => {
  const tokens = await canned(200, answer)
  const api = await canned(200, { version: '4.1.0.0' })
  const connection = connectionOf('http://127.0.0.1:1', {
    url: `${api.origin}/proxy/kics/`,
    tokenUrl: `${tokens.origin}/elsewhere`,
    apiVersion: 'v4',
  })
  const one = clientOf(connection, credential)
  const granted = await byCertificate(one)
  await one.verify?.(granted, call())
  expect(tokens.received.map(({ url }) => url)).toEqual(['/elsewhere?grant_type=certificate'])
  expect(
    api.received.map(({ method, url, headers }) => [method, url, headers.authorization]),
  ).toEqual([['GET', '/proxy/kics/v4/about', 'Bearer aaa.bbb.ccc']])
})

test('the grants are asked in order: a refresh while its token can live, then the certificate', () => {
  const { grants } = client()
  const held = { refreshToken: new Redacted('made-up'), refreshExpiresAt: now }
  const before = new Date(now.getTime() - 1)
  const usable = (at: Date, tokens: object) =>
    grants.filter((grant) => grant.usable(tokens, at)).map(({ name, spends }) => [name, spends])
  const certificate = ['certificate', 'nothing']
  expect(usable(before, held)).toEqual([['refresh_token', 'refresh-token'], certificate])
  expect(usable(now, held)).toEqual([certificate])
  expect(usable(now, { refreshToken: held.refreshToken })).toHaveLength(2)
  expect(usable(now, {})).toEqual([certificate])
})

test.each([
  ['refuse-400', 400],
  ['refuse-403', 403],
  ['error-json', 401],
])('a refresh token that is refused (%s) is told from the certificate', async (fault, status) => {
  kics.inject({ kind: fault, times: 'always' })
  const error = await failureOf(byRefresh(client(), 'made-up'))
  expect(error).toMatchObject({ code: 'ERR_GRANT_REFUSED', reason: 'invalid_grant', status })
  expect(error.message).toContain('the token URL refused the refresh token')
})

test.each([
  [{ kind: 'drop-before', on: 'refresh' }, 'ERR_TRANSPORT', 'live'],
  [{ kind: 'consume-then-drop', on: 'refresh' }, 'ERR_TRANSPORT', 'spent'],
  [{ kind: 'truncated-body', on: 'refresh' }, 'ERR_TRANSPORT', 'spent'],
  [{ kind: 'slow', on: 'refresh', ms: 60_000 }, 'ERR_TRANSPORT', 'spent'],
  [{ kind: 'slow-body', on: 'refresh', ms: 60_000 }, 'ERR_TRANSPORT', 'spent'],
  [{ kind: 'consume-then-500', on: 'refresh' }, 'ERR_RESPONSE', 'spent'],
  [{ kind: 'error-500', on: 'refresh' }, 'ERR_RESPONSE', 'live'],
  [{ kind: 'error-503', on: 'refresh' }, 'ERR_RESPONSE', 'live'],
  [{ kind: 'error-429', on: 'refresh' }, 'ERR_RESPONSE', 'live'],
  [{ kind: 'html', on: 'refresh' }, 'ERR_RESPONSE', 'live'],
  [{ kind: 'empty', on: 'refresh' }, 'ERR_RESPONSE', 'spent'],
  [{ kind: 'redirect', on: 'refresh' }, 'ERR_RESPONSE', 'live'],
] as const)(
  'a refresh without a clear answer may have spent the token: %j',
  async (fault, code, holds) => {
    const { refreshToken } = await pair()
    kics.inject(fault)
    const error = await failureOf(byRefresh(client(), refreshToken, 0.5))
    expect(error).toMatchObject({
      code,
      ...(code === 'ERR_TRANSPORT' ? { sent: 'maybe' } : { spent: 'maybe' }),
    })
    expect(kics.holds(refreshToken)).toBe(holds)
  },
)

test('members that nobody documented are no reason to refuse a pair', async () => {
  kics.inject({ kind: 'extra-fields', on: 'grant' })
  await expect(byCertificate(client())).resolves.toMatchObject({ grant: 'certificate' })
})

test.each(['expires-zero', 'expires-negative', 'expires-string', 'expires-huge'])(
  '%s is refused as nonsense',
  async (fault) => {
    kics.inject({ kind: fault })
    const error = await failureOf(byCertificate(client()))
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', status: 200 })
    expect(error.message).toContain(
      'the token URL answered the certificate grant with an unusable expires_in; allowed is a number of seconds from 60 to 2592000',
    )
  },
)

test.each([
  ['access_token', { access_token: undefined }],
  ['access_token', { access_token: '' }],
  ['access_token', { access_token: 'aaa\r\nx-injected: 1' }],
  ['refresh_token', { refresh_token: 'ddd\neee' }],
  ['token_type', { token_type: 'mac' }],
  ['token_type', { token_type: undefined }],
  ['expires_in', { expires_in: undefined }],
  ['expires_in', { expires_in: null }],
  ['expires_in', { expires_in: 59 }],
  ['expires_in', { expires_in: 2_592_001 }],
])('an answer without a usable %s is no answer: case %#', async (field, odd) => {
  const { origin } = await canned(200, { ...answer, ...odd })
  const error = await failureOf(byCertificate(clientOf(connectionOf(origin), credential)))
  expect(error).toMatchObject({ code: 'ERR_RESPONSE' })
  expect(error.message).toContain(`with an unusable ${field}; allowed is`)
})

test.each([[60], [2_592_000]])('a life of %d s is taken as it is told', async (expires_in) => {
  const { origin } = await canned(200, { ...answer, expires_in, token_type: 'BEARER' })
  const tokens = await byCertificate(clientOf(connectionOf(origin), credential))
  expect(tokens.expiresAt).toEqual(new Date(now.getTime() + expires_in * 1000))
})

test.each([null, '', undefined])(
  'an answer without a refresh token is a token alone: %j',
  async (none) => {
    const { origin } = await canned(200, { ...answer, refresh_token: none })
    const tokens = await byCertificate(clientOf(connectionOf(origin), credential))
    expect(Object.keys(tokens)).not.toContain('refreshToken')
    expect(Object.keys(tokens)).not.toContain('refreshExpiresAt')
  },
)

test.each(['clock-ahead', 'clock-behind'])(
  'the vendor’s clock does not matter: %s',
  async (fault) => {
    kics.inject({ kind: fault })
    const tokens = await byCertificate(client())
    expect(tokens.expiresAt).toEqual(new Date('2026-01-01T10:00:00Z'))
  },
)

test('a page of HTML is no token, and not quoted', async () => {
  kics.inject({ kind: 'html' })
  const error = await failureOf(byCertificate(client()))
  expect(error.message).toBe(
    'the token URL answered the certificate grant without a token (status 200, keys: none)',
  )
})

test('a redirect is never followed with a credential', async () => {
  const target = await canned(200, answer)
  const { origin } = await canned(307, '', { location: `${target.origin}/token` })
  const one = clientOf(connectionOf(origin), credential)
  const refused = await failureOf(byCertificate(one))
  expect(refused).toMatchObject({ code: 'ERR_CONFIG', field: 'tokenUrl' })
  expect(refused.message).toContain('found a redirect, which is not followed (status 307)')
  expect(await failureOf(byRefresh(one, 'made-up'))).toMatchObject({ code: 'ERR_RESPONSE' })
  expect(target.received).toEqual([])
})

test('a token URL where there is nothing is a matter of configuration', async () => {
  const tokenUrl = `${kics.url}/auth/v4/token`
  const error = await failureOf(byCertificate(client({ tokenUrl })))
  expect(error.message).toContain('tokenUrl: found no token path (status 404); allowed is')
  // What a refresh met there is not known so surely: the certificate is asked next.
  expect(await failureOf(byRefresh(client({ tokenUrl }), 'made-up'))).toMatchObject({
    code: 'ERR_RESPONSE',
    spent: 'maybe',
  })
})

test('a superseded certificate, by status and by alert, and a host out of reach are three things', async () => {
  const superseded = { ...credential }
  credential = stored(await kics.newPackage())
  const former = () => clientOf(connectionOf(kics.url), superseded)
  const byStatus = await failureOf(byCertificate(former()))
  expect(byStatus).toMatchObject({
    code: 'ERR_GRANT_REFUSED',
    reason: 'access_denied',
    status: 401,
  })
  expect(byStatus.message).toMatch(
    /^the token URL refused the client certificate: its package was superseded/,
  )

  kics.inject({ kind: 'certificate-alert', times: 'always' })
  for (const attempt of [byCertificate(former()), byRefresh(former(), 'made-up')]) {
    const byAlert = await failureOf(attempt)
    expect(byAlert).toMatchObject({ code: 'ERR_GRANT_REFUSED', reason: 'certificate_refused' })
    expect(byAlert.message).toMatch(
      /^auth\/token at 127\.0\.0\.1:\d+ refused the client certificate by a TLS alert .*: its package was superseded, or its connector deleted \(certificate_refused\)$/,
    )
  }
  const muchLater = { ...call(), now: new Date('2100-01-01T00:00:00Z') }
  const ended = await failureOf(grantOf(former(), 'certificate').request({}, muchLater))
  expect(ended.message).toMatch(/; it ended at 20\d\d-.*Z \(certificate_refused\)$/)
  await expect(byCertificate(client())).resolves.toMatchObject({ grant: 'certificate' })

  const nowhere = clientOf(connectionOf('https://127.0.0.1:1'), credential)
  const outOfReach = await failureOf(byCertificate(nowhere))
  expect(outOfReach).toMatchObject({ code: 'ERR_TRANSPORT', sent: 'no' })
  expect(outOfReach.message).toMatch(/^could not reach auth\/token at 127\.0\.0\.1:1: /)
})

test('where the listener requires a certificate the connector’s is shown', async () => {
  kics.inject({ kind: 'require-certificate', times: 'always' })
  const one = client()
  const tokens = await byCertificate(one)
  await expect(one.verify?.(tokens, call())).resolves.toBeDefined()
})

test('a blocked user gets no token, and a living token does nothing', async () => {
  const { tokens } = await pair()
  kics.inject({ kind: 'blocked-user', times: 'always' })
  const refused = await failureOf(byCertificate(client()))
  expect(refused).toMatchObject({ code: 'ERR_GRANT_REFUSED', status: 403 })
  expect(refused.message).toContain('the user behind it blocked')
  const error = await failureOf(Promise.resolve(client().verify?.(tokens, call())))
  expect(error).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected: true })
})

test.each([
  [
    'a token that is not good',
    (): TokenSet => made('made-up'),
    {},
    true,
    'about refused the new access token (status 401)',
  ],
  [
    'an address without the API',
    (): TokenSet => made('made-up'),
    { url: 'PREFIXLESS' },
    false,
    'about told no version (status 404); compare url',
  ],
] as const)('verifying finds %s', async (_, tokens, more, rejected, message) => {
  const url = 'url' in more ? { url: `${kics.url}/api` } : {}
  const error = await failureOf(Promise.resolve(client(url).verify?.(tokens(), call())))
  expect(error).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected })
  expect(error.message).toContain(message)
})

test('an answer to `about` that is HTML says nothing about the token', async () => {
  const { tokens } = await pair()
  kics.inject({ kind: 'html', on: 'verify' })
  const error = await failureOf(Promise.resolve(client().verify?.(tokens, call())))
  expect(error).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected: false })
})

test('verifying tells when both certificates end', async () => {
  const { tokens } = await pair()
  const verified = await client().verify?.(tokens, call())
  expect(verified?.certificates?.map(({ name }) => name)).toEqual([
    'client certificate',
    'server certificate',
  ])
  for (const { notAfter } of verified?.certificates ?? []) {
    expect(notAfter.getTime()).toBeGreaterThan(Date.now() + 396 * 86_400_000)
  }
  expect(verified?.warning).toBeUndefined()
})

test('tokens that live for less than two ticks are worth a warning', async () => {
  kics.inject({ kind: 'short-lived' })
  const { tokens } = await pair()
  const verified = await client().verify?.(tokens, call())
  expect(verified?.warning).toBe(
    'tokens live for 60 s, less than two ticks of a minute; raise logon_session_timeout on the Server',
  )
})

test('a token is renewed on the days on which a person is told of the certificate’s end', async () => {
  const { certificates } = (await client().verify?.((await pair()).tokens, call())) ?? {}
  const notAfter = certificates?.[0]?.notAfter ?? expect.fail('no certificate')
  const daysBefore = (days: number) => new Date(notAfter.getTime() - days * 86_400_000)
  const grant = grantOf(client(), 'certificate')
  const renewAt = async (days: number) =>
    (await grant.request({}, { ...call(), now: daysBefore(days) })).renewAt
  // A second into the day: an alarm is raised below a threshold, not on it.
  const second = (instant: Date) => new Date(instant.getTime() + 1000)
  expect(await renewAt(31)).toEqual(second(daysBefore(30)))
  expect(await renewAt(29)).toEqual(second(daysBefore(7)))
  expect(await renewAt(6)).toEqual(second(daysBefore(1)))
  expect(await renewAt(0.5)).toBeUndefined()
})

test('consumers send a bearer', async () => {
  const { tokens } = await pair()
  expect(client().headers(tokens)).toEqual({
    Authorization: `Bearer ${tokens.accessToken.reveal()}`,
  })
})

test('a server that the enrolled certificate does not prove is never asked', async () => {
  const { serverCertificate: _, ...withoutServer } = credential
  const unknown = await failureOf(byCertificate(clientOf(connectionOf(kics.url), withoutServer)))
  expect(unknown).toMatchObject({ code: 'ERR_TRANSPORT', sent: 'no' })
  expect(unknown.message).toContain('the certificate is self-signed')
  const another = { ...credential, serverCertificate: credential.certificate }
  expect(await failureOf(byCertificate(clientOf(connectionOf(kics.url), another)))).toMatchObject({
    sent: 'no',
  })
  const named = client({ tls: { serverName: 'kics.example' } })
  const misnamed = await failureOf(byCertificate(named))
  expect(misnamed.message).toContain('the certificate names another host')
  const pinned = client({ tls: { pins: [kics.pin] } })
  await expect(byCertificate(pinned)).resolves.toMatchObject({ grant: 'certificate' })
})

test('no failure shows a token, nor the query that holds one', async () => {
  const one = client()
  const errors: Error[] = []
  for (const fault of [
    ...['drop-before', 'consume-then-drop', 'truncated-body', 'slow', 'consume-then-500'],
    ...['html', 'redirect', 'refuse', 'blocked-user', 'expires-zero', 'line-break'],
  ]) {
    const { refreshToken, tokens } = await pair(one)
    kics.inject({ kind: fault, times: 'always', ms: 60_000 })
    const secrets = [refreshToken, tokens.accessToken.reveal()]
    for (const attempt of [
      () => byRefresh(one, refreshToken, 0.3),
      () => Promise.resolve(one.verify?.(tokens, call(0.3))),
    ]) {
      const error: unknown = await attempt().catch((thrown) => thrown)
      if (!(error instanceof Error)) continue
      errors.push(error)
      expect(isRotatorError(error)).toBe(true)
      const shown = `${error.message}\n${error.stack}\n${inspect(error, { depth: 9 })}`
      for (const secret of secrets) expect(shown).not.toContain(secret.slice(0, 24))
      expect(shown).not.toContain('refresh_token=')
    }
    kics.clearFaults()
  }
  expect(errors.length).toBeGreaterThanOrEqual(15)
})

const foreign = 'privateKey: does not belong to certificate; allowed is its own key'
const hollow = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----'
const encrypted =
  '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n'

test.each([
  ['certificate: is missing or no PEM text', { certificate: undefined }],
  ['certificate: is missing or no PEM text', { certificate: 'made-up' }],
  ['certificate: is missing or no PEM text', { certificate: 1 }],
  ['certificate: is missing or no PEM text', { certificate: hollow }],
  ['privateKey: is missing, encrypted or no PEM text', { privateKey: undefined }],
  ['privateKey: is missing, encrypted or no PEM text', { privateKey: encrypted }],
  ['serverCertificate: has the wrong shape', { serverCertificate: 'made-up' }],
  ['serverCertificate: has the wrong shape', { serverCertificate: hollow }],
  ['pfx: is a package that was not converted', { pfx: 'MAA=' }],
  ['pfxPassword: is of use at enrollment only', { pfxPassword: 'made-up' }],
])('a credential of the wrong shape is told by its field: %s', (message, odd) => {
  const http = createHttp()
  const wrong = { ...credential, ...odd }
  expect(() => kicsForNetworks.connect(connectionOf(kics.url), wrong, http)).toThrow(message)
  expect(() => kicsForNetworks.tlsMaterial?.(wrong)).toThrow(message)
})

test('a key of another certificate is refused', async () => {
  const fields = { pfx: packages.modern, pfxPassword: 'made-up' }
  const { privateKey } = (await kicsForNetworks.prepare?.(fields)) ?? {}
  expect(() => kicsForNetworks.tlsMaterial?.({ ...credential, privateKey })).toThrow(foreign)
})

test.each([
  [{ tokenUrl: undefined }, 'connections[0].tokenUrl: found nothing; allowed is'],
  [{ url: undefined }, 'connections[0].url: found nothing; allowed is'],
  [
    { url: 'http://192.0.2.30:8080/kics/api' },
    'connections[0].url: found "http://192.0.2.30:8080/…"; allowed is an https URL',
  ],
  [{ tokenUrl: 'http://192.0.2.30/token' }, 'connections[0].tokenUrl: found'],
  [
    { tokenUrl: 'https://api:made-up@192.0.2.30/token' },
    'allowed is an https URL without user name',
  ],
  [
    { tokenUrl: 'https://192.0.2.30/token?grant_type=certificate' },
    'allowed is an https URL without user name, password, query',
  ],
  [{ apiVersion: '4' }, 'connections[0].apiVersion: found "4"; allowed is v3, v4'],
  [{ sessionMinutes: 0 }, 'connections[0].sessionMinutes: found 0; allowed is 1 or more'],
  [{ sessionMinutes: 43_201 }, 'allowed is 43200 or less'],
  [{ sessionMinutes: 1.5 }, 'allowed is a whole number of minutes'],
  [
    { tokenURL: 'https://192.0.2.30/token' },
    'connections[0].tokenURL: is not an option of this vendor',
  ],
  [
    { privateKey: 'made-up' },
    'connections[0].privateKey: is a credential; credentials are enrolled, never configured',
  ],
  [{ pfxPassword: 'made-up' }, 'connections[0].pfxPassword: is a credential'],
])('a configuration that cannot be is refused: %j', (odd, message) => {
  expect(() => connectionOf('https://192.0.2.30:8080', odd)).toThrow(message)
})

test('the origin and the planned life come from the configuration', () => {
  const byDefault = connectionOf('https://192.0.2.30:8080')
  expect(kicsForNetworks.url(byDefault)).toBe('https://192.0.2.30:8080')
  expect(kicsForNetworks.accessLifetimeSeconds(byDefault)).toBe(36_000)
  const short = connectionOf('https://192.0.2.30:8080', { sessionMinutes: 15 })
  expect(kicsForNetworks.accessLifetimeSeconds(short)).toBe(900)
})

/** A token that nobody issued. */
function made(token: string): TokenSet {
  const accessToken = new Redacted(token)
  return { accessToken, tokenType: 'Bearer', issuedAt: now, expiresAt: null, grant: 'certificate' }
}
