import { generateKeyPairSync } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { decodeJwt, decodeProtectedHeader, jwtVerify, UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { mayHaveSpent } from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { TokenSet } from '../../lib/core/vendor.ts'
import { oauth2 } from '../../lib/vendors/oauth2.ts'
import { prints, tracesOf } from '../canaries.ts'
import {
  call,
  connect,
  connectionOf,
  grant,
  startCanned,
  startServer,
  startTokenEndpoint,
} from './oauth2-setup.ts'

const held = { refreshToken: new Redacted('held-refresh-token') }
const basic = { grant: 'refresh_token', clientId: 'soc' }
const secret = { clientSecret: 'made-up-secret' }
const madeUp = ['held-refresh-token', 'made-up-secret']
const now = new Date('2026-01-01T00:00:00Z')

/** What was thrown; that it shows no secret is checked by the way. */
async function errorOf(promise: Promise<unknown>, secrets: readonly string[] = madeUp) {
  const error = await promise.then(
    () => undefined,
    (reason: Error & { code?: string }) => reason,
  )
  if (error === undefined) throw new Error('nothing was thrown')
  expect(tracesOf(secrets, prints(error))).toEqual([])
  return { code: error.code, message: error.message, mayHaveSpent: mayHaveSpent(error) }
}

function thrownBy(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was thrown'
}

describe('against oidc-provider', () => {
  test('a refresh rotates the pair, and the spent token is refused from then on', async () => {
    const { server, held, open } = await startServer()
    const client = open()
    const tokens = await grant(client, held)
    expect(tokens).toMatchObject({ tokenType: 'Bearer', grant: 'refresh_token' })
    expect(tokens.refreshToken?.reveal()).not.toBe(held.refreshToken?.reveal())
    expect(server.holds(tokens.refreshToken?.reveal() ?? '')).toBe('live')
    expect(await errorOf(grant(client, held))).toEqual({
      code: 'ERR_GRANT_REFUSED',
      message: 'the server refused the grant (invalid_grant, status 400)',
      mayHaveSpent: true,
    })
    // Its reuse revocation ends the family, the newest pair included.
    expect(server.holds(tokens.refreshToken?.reveal() ?? '')).toBe('revoked')
  })

  test.each([
    'client_secret_basic',
    'client_secret_post',
    'private_key_jwt',
    'tls_client_auth',
    'none',
  ])('a client that proves itself by %s gets its pair over TLS', async (variant) => {
    const { server, held, open } = await startServer({ privateKeyAlgorithm: 'ES256' }, { variant })
    const tokens = await grant(open(), held)
    expect(server.holds(tokens.refreshToken?.reveal() ?? '')).toBe('live')
    expect(server.counters()).toMatchObject({ issued: 1, spends: 1, presentedTwice: 0 })
  })

  test.each(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth'])(
    'client credentials with %s give an access token that the API takes, and nothing to keep',
    async (variant) => {
      const options = {
        grant: 'client_credentials',
        scope: 'api:read',
        privateKeyAlgorithm: 'ES256',
      }
      const { server, transport, open } = await startServer(options, { variant })
      const client = open({ verifyUrl: `${server.url}/api/alerts` })
      expect(client.grants[0]).toMatchObject({ spends: 'nothing', keeps: 'nothing' })
      const tokens = await grant(client)
      expect(tokens.refreshToken).toBeUndefined()
      await client.verify?.(tokens, call())
      expect(server.counters().authorized).toBe(1)
      expect(transport).toHaveProperty('ca')
    },
  )

  test.each(['client_secret_basic', 'private_key_jwt'])(
    'explicit endpoints serve %s as discovery does',
    async (variant) => {
      const { server, held, open } = await startServer(
        { privateKeyAlgorithm: 'ES256' },
        { plain: true, variant },
      )
      const tokens = await grant(
        open({ issuer: undefined, tokenEndpoint: `${server.url}/token` }),
        held,
      )
      expect(server.holds(tokens.refreshToken?.reveal() ?? '')).toBe('live')
    },
  )

  test.each([-600, 600])('clocks that differ by %i s do not matter to assertions', async (by) => {
    const start = { plain: true, variant: 'private_key_jwt' }
    const { server, held, open } = await startServer({ privateKeyAlgorithm: 'ES256' }, start)
    const ours = { now: new Date(Date.now() + by * 1000) }
    const tokens = await grant(open(), held, ours)
    expect(tokens.issuedAt).toBe(ours.now)
    const explicit = open({ issuer: undefined, tokenEndpoint: `${server.url}/token` })
    await grant(explicit, tokens, ours)
    expect(server.counters().issued).toBe(2)
  })

  test('a wrong secret spends nothing and names what is enrolled', async () => {
    const { server, configured, held } = await startServer()
    const client = connect(configured, { clientSecret: 'another' })
    expect(await errorOf(grant(client, held))).toEqual({
      code: 'ERR_CONFIG',
      message:
        "clientSecret: the server refused the client's authentication (invalid_client, status 401); check clientId, clientAuthentication client_secret_basic and what is enrolled for it; nothing was spent",
      mayHaveSpent: false,
    })
    expect(server.holds(held.refreshToken?.reveal() ?? '')).toBe('live')
  })

  test('a key that the server does not know spends nothing and names the key', async () => {
    const start = { plain: true, variant: 'private_key_jwt' }
    const { configured, held } = await startServer({ privateKeyAlgorithm: 'ES256' }, start)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const error = await errorOf(grant(connect(configured, { privateKey: pem }), held))
    expect(error).toMatchObject({ code: 'ERR_CONFIG', mayHaveSpent: false })
    expect(error.message).toMatch(/^privateKey: the server refused the client's authentication/)
  })

  test('a scope that was never granted spends nothing and names the option', async () => {
    const { server, held, open } = await startServer({ scope: 'openid everything' })
    expect(await errorOf(grant(open(), held))).toEqual({
      code: 'ERR_CONFIG',
      message:
        'scope: the server refused the request (invalid_scope, status 400); check scope; nothing was spent',
      mayHaveSpent: false,
    })
    expect(server.holds(held.refreshToken?.reveal() ?? '')).toBe('live')
  })

  test('introspection tells a living refresh token from a spent one, and harms neither', async () => {
    const { server, held, open } = await startServer()
    const client = open()
    const tokens = await grant(client, held)
    const known = { introspection: 'proven' }
    const ask = (token = held.refreshToken) =>
      client.introspect?.(token ?? new Redacted(''), call({ known }))
    expect(await ask(tokens.refreshToken)).toBe('active')
    expect(await ask(held.refreshToken)).toBe('inactive')
    expect(await ask(new Redacted('made-up'))).toBe('inactive')
    expect(server.holds(tokens.refreshToken?.reveal() ?? '')).toBe('live')
  })

  test('"inactive" counts only from a server that has called a token of ours active', async () => {
    const { server, held, open } = await startServer()
    const client = open()
    const tokens = await grant(client, held)
    server.inject({ kind: 'blind-introspection', times: 'always' })
    expect((await client.verify?.(tokens, call()))?.facts).toBeUndefined()
    const asked = client.introspect?.(tokens.refreshToken ?? new Redacted(''), call())
    expect(await errorOf(asked ?? Promise.resolve())).toEqual({
      code: 'ERR_RESPONSE',
      message:
        'introspection says inactive, but has never called a refresh token of this client active (status 200)',
      mayHaveSpent: false,
    })
    server.clearFaults()
    expect((await client.verify?.(tokens, call()))?.facts).toEqual({ introspection: 'proven' })
  })

  test('revoking an old access token ends the newest pair as well, and the caller is told', async () => {
    const { server, held, open } = await startServer({ revokeSuperseded: true })
    const client = open()
    const first = await grant(client, held)
    const second = await grant(client, first)
    const known = { introspection: 'proven' }
    expect(await client.revoke?.([first], second, call({ known }))).toBe('held-ended')
    expect(server.holds(second.refreshToken?.reveal() ?? '')).toBe('revoked')
    expect(await errorOf(grant(client, second))).toMatchObject({ code: 'ERR_GRANT_REFUSED' })
  })

  test('without the option nothing is ever revoked', async () => {
    const { open } = await startServer()
    expect(open().revoke).toBeUndefined()
    expect(open().grants[0]).not.toHaveProperty('revokesHeld')
  })

  test('revoking an old token of client credentials leaves the newest', async () => {
    const options = { grant: 'client_credentials', revokeSuperseded: true }
    const { server, open } = await startServer(options)
    const client = open({ verifyUrl: `${server.url}/api/alerts` })
    expect(client.grants[0]).not.toHaveProperty('keeps')
    const [first, second] = [await grant(client), await grant(client)]
    expect(await client.revoke?.([first], second, call())).toBeUndefined()
    await client.verify?.(second, call())
    expect(await errorOf(client.verify?.(first, call()) ?? Promise.resolve())).toMatchObject({
      code: 'ERR_VERIFY_FAILED',
      message: 'verifyUrl answered status 401',
    })
  })

  test('the token held at the time of revocation is never revoked itself', async () => {
    const { server, open } = await startServer({
      grant: 'client_credentials',
      revokeSuperseded: true,
    })
    const client = open()
    const tokens = await grant(client)
    await client.revoke?.([tokens], tokens, call())
    expect(server.counters().revocations).toBe(0)
  })

  test.each([
    ['drop-before', 'ERR_TRANSPORT', true],
    ['consume-then-drop', 'ERR_TRANSPORT', true],
    ['consume-then-500', 'ERR_RESPONSE', true],
    ['truncated-body', 'ERR_TRANSPORT', true],
    ['empty', 'ERR_RESPONSE', true],
    ['html', 'ERR_RESPONSE', true],
    ['error-500', 'ERR_RESPONSE', true],
    ['error-503', 'ERR_RESPONSE', true],
    ['error-429', 'ERR_RESPONSE', true],
    ['redirect', 'ERR_RESPONSE', true],
    ['gzip', 'ERR_RESPONSE', true],
    ['oversized', 'ERR_RESPONSE', true],
    ['header-injection', 'ERR_RESPONSE', true],
    ['refuse', 'ERR_GRANT_REFUSED', true],
    ['refuse-client', 'ERR_CONFIG', false],
  ])('the token endpoint under %s: %s, may have spent: %s', async (kind, code, maySpend) => {
    const { server, held, open } = await startServer()
    const client = open()
    server.inject({ kind, on: 'grant' })
    const { refreshToken, clientSecret } = server.credential
    const secrets = [String(refreshToken), String(clientSecret)]
    const error = await errorOf(grant(client, held), secrets)
    expect(error).toMatchObject({ code, mayHaveSpent: maySpend })
  })

  test.each([
    ['drop-before', 'ERR_TRANSPORT'],
    ['error-500', 'ERR_RESPONSE'],
    ['html', 'ERR_RESPONSE'],
    ['empty', 'ERR_RESPONSE'],
    ['truncated-body', 'ERR_TRANSPORT'],
    ['other-issuer', 'ERR_CONFIG'],
  ])('discovery under %s: %s, and nothing was sent', async (kind, code) => {
    const { server, held, open } = await startServer()
    server.inject({ kind, on: 'discovery', times: 'always' })
    expect(await errorOf(grant(open(), held))).toMatchObject({ code, mayHaveSpent: false })
    expect(server.counters().calls['POST /token']).toBeUndefined()
  })

  test('a slow answer is waited for as long as the run has time', async () => {
    const { server, held, open } = await startServer()
    const client = open()
    server.inject({ kind: 'slow', on: 'grant', ms: 2000 })
    const late = await errorOf(grant(client, held, { timeoutSeconds: 0.5 }))
    expect(late).toMatchObject({ code: 'ERR_TRANSPORT', mayHaveSpent: true })
    expect(late.message).toMatch(
      /^no answer from token request at 127\.0\.0\.1:\d+: it took too long$/,
    )
  })

  test('a body that trickles is not waited for beyond the time of the call', async () => {
    const { server, held, open } = await startServer()
    const client = open()
    server.inject({ kind: 'slow-body', on: 'grant', ms: 5000 })
    const late = await errorOf(grant(client, held, { timeoutSeconds: 0.6 }))
    expect(late).toMatchObject({ code: 'ERR_TRANSPORT', mayHaveSpent: true })
  })

  test('members that nobody documented are passed over', async () => {
    const { server, held, open } = await startServer()
    server.inject({ kind: 'extra-fields', times: 'always' })
    expect((await grant(open(), held)).refreshToken).toBeDefined()
  })

  test('a server that keeps the refresh token leaves the held one in place', async () => {
    const { server, held, open } = await startServer()
    server.inject({ kind: 'keep-refresh-token' })
    const tokens = await grant(open(), held)
    expect(tokens.refreshToken).toBe(held.refreshToken)
    expect(server.holds(held.refreshToken?.reveal() ?? '')).toBe('live')
  })
})

describe('bytes', () => {
  test('client_secret_basic encodes id and secret before Base64, and a body holds neither', async () => {
    const { url, seen } = await startTokenEndpoint({ expires_in: 60 })
    const options = { ...basic, tokenEndpoint: `${url}/token`, clientId: 'soc:eu/1' }
    await grant(connect(options, { clientSecret: '%+/=: a' }), held)
    const credentials = String(seen[0]?.headers.authorization).replace('Basic ', '')
    expect(Buffer.from(credentials, 'base64').toString('utf8')).toBe(
      'soc%3Aeu%2F1:%25%2B%2F%3D%3A+a',
    )
    expect(seen[0]).toMatchObject({ method: 'POST', path: '/token' })
    expect(seen[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded;charset=UTF-8')
    expect(seen[0]?.headers['user-agent']).toBe('token-rotator')
    expect(seen[0]?.body).toBe('refresh_token=held-refresh-token&grant_type=refresh_token')
  })

  test('client_secret_post puts both into the body, form-encoded', async () => {
    const { url, seen } = await startTokenEndpoint({ expires_in: 60 })
    const options = { ...basic, tokenEndpoint: url, clientAuthentication: 'client_secret_post' }
    await grant(connect(options, { clientSecret: '%+/=: a' }), held)
    expect(seen[0]?.headers.authorization).toBeUndefined()
    expect(seen[0]?.body).toBe(
      'refresh_token=held-refresh-token&grant_type=refresh_token&client_id=soc&client_secret=%25%2B%2F%3D%3A+a',
    )
  })

  test('a public client and one with a certificate send their id alone', async () => {
    const { url, seen } = await startTokenEndpoint({ expires_in: 60 })
    const options = { ...basic, tokenEndpoint: url, clientAuthentication: 'none' }
    await grant(connect(options, {}), held)
    expect(seen[0]?.body).toBe(
      'refresh_token=held-refresh-token&grant_type=refresh_token&client_id=soc',
    )
  })

  test('scope, resources, audience and further parameters are sent as configured', async () => {
    const { url, seen } = await startTokenEndpoint({ expires_in: 60 })
    const options = {
      tokenEndpoint: url,
      grant: 'client_credentials',
      clientId: 'soc',
      scope: 'alerts:read hosts:read',
      resource: ['https://a.example/', 'https://b.example/'],
      audience: 'urn:api',
      parameters: { organization: 'example' },
    }
    await grant(connect(options, secret))
    expect(seen[0]?.body).toBe(
      'organization=example&scope=alerts%3Aread+hosts%3Aread&resource=https%3A%2F%2Fa.example%2F&resource=https%3A%2F%2Fb.example%2F&audience=urn%3Aapi&grant_type=client_credentials',
    )
  })

  test('an assertion is signed as configured, dated by the server’s clock and never the same twice', async () => {
    const { url, seen } = await startTokenEndpoint(
      { expires_in: 60 },
      { headers: { date: 'Thu, 01 Jan 2026 00:10:00 GMT' } },
    )
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const client = connect(
      {
        ...basic,
        tokenEndpoint: `${url}/token`,
        clientAuthentication: 'private_key_jwt',
        privateKeyAlgorithm: 'PS256',
        keyId: 'key-1',
      },
      { privateKey: pem },
    )
    await grant(client, held, { now })
    await grant(client, held, { now })
    const [first, second] = seen.filter(({ method }) => method === 'POST').map(assertionOf)
    expect(decodeProtectedHeader(first ?? '')).toEqual({ alg: 'PS256', kid: 'key-1' })
    const { payload } = await jwtVerify(first ?? '', publicKey, {
      currentDate: new Date('2026-01-01T00:10:30Z'),
    })
    expect(payload).toMatchObject({
      iss: 'soc',
      sub: 'soc',
      aud: `${url}/token`,
      // 2026-01-01T00:09:45Z and 00:12:00Z
      iat: 1767226185,
      exp: 1767226320,
    })
    expect(payload.jti).not.toBe(decodeJwt(second ?? '').jti)
  })

  test('introspection and revocation go to the configured endpoints with their hints', async () => {
    const { url, seen } = await startCanned(() => ({ body: '{"active":true}' }))
    const client = connect(
      {
        ...basic,
        tokenEndpoint: `${url}/token`,
        introspectionEndpoint: `${url}/ask`,
        revocationEndpoint: `${url}/end`,
        revokeSuperseded: true,
      },
      secret,
    )
    expect(await client.introspect?.(new Redacted('refresh-1'), call())).toBe('active')
    await client.revoke?.([tokenSet('old')], tokenSet('new'), call())
    expect(seen.map(({ path, body }) => `${path} ${body}`)).toEqual([
      '/ask token_type_hint=refresh_token&token=refresh-1',
      '/end token_type_hint=access_token&token=old',
    ])
  })

  test('verifyUrl is called with the token, and a redirect is not followed with it', async () => {
    const { url, seen } = await startCanned(() => ({
      status: 302,
      headers: { location: '/other' },
    }))
    const options = { ...basic, tokenEndpoint: url, verifyUrl: `${url}/me` }
    const verified = connect(options, secret).verify?.(tokenSet('access-1'), call())
    expect(await errorOf(verified ?? Promise.resolve())).toMatchObject({
      message: 'verifyUrl answered status 302',
    })
    expect(seen).toHaveLength(1)
    expect(seen[0]?.headers.authorization).toBe('Bearer access-1')
  })
})

describe('answers', () => {
  const jwt = new UnsecuredJWT()
    .setIssuedAt(now)
    .setExpirationTime(new Date('2026-01-01T00:20:00Z'))

  test.each([
    ['a whole number', { expires_in: 900 }, '00:15:00'],
    ['digits as text', { expires_in: '900' }, '00:15:00'],
    ['0', { expires_in: 0 }, '02:00:00'],
    ['negative', { expires_in: -5 }, '02:00:00'],
    ['other text', { expires_in: 'soon' }, '02:00:00'],
    ['an object', { expires_in: {} }, '02:00:00'],
    ['longer than a year', { expires_in: 31_536_001 }, '02:00:00'],
    ['huge', { expires_in: 1e300 }, '02:00:00'],
    ['missing', {}, '02:00:00'],
    ['missing beside a JWT', { access_token: jwt.encode() }, '00:20:00'],
    ['0 beside a JWT', { expires_in: 0, access_token: jwt.encode() }, '00:20:00'],
  ])('a lifetime that is %s gives an end all the same', async (_what, members, end) => {
    const { url } = await startTokenEndpoint(members)
    const options = { ...basic, tokenEndpoint: url, accessTokenLifetimeSeconds: 7200 }
    const tokens = await grant(connect(options, secret), held, { now })
    expect(tokens.expiresAt?.toISOString()).toBe(`2026-01-01T${end}.000Z`)
  })

  test('a JWT without iat is read by the server’s clock, not by ours', async () => {
    const token = new UnsecuredJWT().setExpirationTime(new Date('2026-01-01T00:30:00Z')).encode()
    const headers = { date: 'Thu, 01 Jan 2026 00:10:00 GMT' }
    const { url } = await startTokenEndpoint({ access_token: token }, { headers })
    const tokens = await grant(connect({ ...basic, tokenEndpoint: url }, secret), held, { now })
    expect(tokens.expiresAt?.toISOString()).toBe('2026-01-01T00:20:00.000Z')
  })

  test.each([
    ['null', null],
    ['empty', ''],
    ['missing', undefined],
  ])('a refresh token that is %s keeps the held one and its end', async (_what, refresh_token) => {
    const { url } = await startTokenEndpoint({ expires_in: 60, refresh_token })
    const refreshExpiresAt = new Date('2026-02-01T00:00:00Z')
    const tokens = await grant(connect({ ...basic, tokenEndpoint: url }, secret), {
      ...held,
      refreshExpiresAt,
    })
    expect(tokens).toMatchObject({ refreshToken: held.refreshToken, refreshExpiresAt })
  })

  test.each(['refresh_expires_in', 'refresh_token_expires_in'])(
    'the end of a refresh token is read from %s',
    async (name) => {
      const { url } = await startTokenEndpoint({ refresh_token: 'next', [name]: 3600 })
      const tokens = await grant(connect({ ...basic, tokenEndpoint: url }, secret), held, { now })
      expect(tokens.refreshExpiresAt?.toISOString()).toBe('2026-01-01T01:00:00.000Z')
    },
  )

  test('an odd id_token or scope, or another content type, loses no pair', async () => {
    const { url } = await startTokenEndpoint(
      { refresh_token: 'next', id_token: 'not a jwt', scope: ['a'], token_type: 'bearer' },
      { headers: { 'content-type': 'text/html' } },
    )
    const tokens = await grant(connect({ ...basic, tokenEndpoint: url }, secret), held)
    expect(tokens.refreshToken?.reveal()).toBe('next')
    expect(tokens.tokenType).toBe('Bearer')
  })

  test('a token that comes with 201 is a token', async () => {
    const { url } = await startTokenEndpoint({ expires_in: 1799 }, { status: 201 })
    const tokens = await grant(connect({ ...basic, tokenEndpoint: url }, secret), held)
    expect(tokens.accessToken.reveal()).toBe('access-1')
  })

  test('a token of a type that no consumer can send is kept, and not published over a good one', async () => {
    const { url } = await startTokenEndpoint({ refresh_token: 'next', token_type: 'DPoP' })
    const client = connect({ ...basic, tokenEndpoint: url }, secret)
    const tokens = await grant(client, held)
    expect(tokens.refreshToken?.reveal()).toBe('next')
    expect(await errorOf(client.verify?.(tokens, call()) ?? Promise.resolve())).toMatchObject({
      code: 'ERR_VERIFY_FAILED',
      message: 'the token is of type DPoP; only Bearer can be served',
    })
  })

  test.each([
    ['an access token with CR and LF', { access_token: 'a\r\nX-Injected: yes' }],
    ['a refresh token with CR and LF', { refresh_token: 'a\r\nb' }],
    ['an access token that is no text', { access_token: 7 }],
    ['no access token', { access_token: undefined }],
    ['an error with status 200', { access_token: undefined, error: 'invalid_grant' }],
  ])('%s is refused, and what was spent counts as in doubt', async (_what, members) => {
    const { url } = await startTokenEndpoint(members)
    const error = await errorOf(grant(connect({ ...basic, tokenEndpoint: url }, secret), held))
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', mayHaveSpent: true })
    expect(error.message).toMatch(/^the token endpoint gave no token that may stand in a header/)
    expect(error.message).not.toContain('X-Injected')
  })

  test.each([
    [400, 'invalid_request', 'ERR_CONFIG', false],
    [400, 'invalid_target', 'ERR_CONFIG', false],
    [400, 'unauthorized_client', 'ERR_CONFIG', false],
    [400, 'unsupported_grant_type', 'ERR_CONFIG', false],
    [400, 'invalid_client', 'ERR_CONFIG', false],
    [401, 'invalid_grant', 'ERR_GRANT_REFUSED', true],
    [400, 'out_of_coffee', 'ERR_RESPONSE', true],
    [429, 'invalid_grant', 'ERR_RESPONSE', true],
    [503, 'invalid_grant', 'ERR_RESPONSE', true],
    [400, 'toString', 'ERR_RESPONSE', true],
  ])('status %i with %s: %s, may have spent: %s', async (status, error, code, maySpend) => {
    const { url } = await startTokenEndpoint({}, { status, body: JSON.stringify({ error }) })
    const client = connect({ ...basic, tokenEndpoint: url }, secret)
    expect(await errorOf(grant(client, held))).toMatchObject({ code, mayHaveSpent: maySpend })
  })

  test.each([
    [
      'HTML',
      { body: '<html></html>', headers: { 'content-type': 'text/html' } },
      'the token endpoint gave no token that may stand in a header (status 200, keys: none)',
    ],
    [
      'a redirect',
      { status: 302, headers: { location: 'https://elsewhere.example/' } },
      'the token endpoint redirects, which is not followed (status 302, keys: none)',
    ],
    [
      'more than 1 MiB',
      { body: 'x'.repeat(1024 * 1024 + 1) },
      /^token request at 127\.0\.0\.1:\d+ sent more than 1048576 bytes \(status 200\)$/,
    ],
    [
      'a gzip bomb',
      { body: gzipSync(Buffer.alloc(8_000_000)), headers: { 'content-encoding': 'gzip' } },
      /^token request at 127\.0\.0\.1:\d+ sent a compressed body, which was not asked for/,
    ],
  ])('%s is told as such', async (_what, canned, message) => {
    const { url } = await startCanned(() => canned)
    const client = connect({ ...basic, tokenEndpoint: url }, secret)
    const error = await errorOf(grant(client, held))
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', mayHaveSpent: true })
    expect(error.message).toMatch(message)
  })

  test.each([
    [200, undefined, undefined],
    [204, undefined, undefined],
    [403, undefined, 'verifyUrl answers 403: the token is good, but not for that; check its scope'],
    [401, true, undefined],
    [500, false, undefined],
    [404, false, undefined],
  ])('verifyUrl answering %i: rejected %s', async (status, rejected, warning) => {
    const { url } = await startCanned(() => ({ status }))
    const client = connect({ ...basic, tokenEndpoint: url, verifyUrl: `${url}/me` }, secret)
    const verified = client.verify?.(tokenSet('access-1'), call())
    if (rejected === undefined) expect((await verified)?.warning).toBe(warning)
    else await expect(verified).rejects.toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected })
  })

  test.each([
    [200, '{"active":"yes","token":"held-refresh-token"}'],
    [200, 'held-refresh-token'],
    [400, '{"error":"invalid_request","error_description":"held-refresh-token"}'],
    [500, 'held-refresh-token'],
  ])(
    'an introspection of status %i that says %s tells nothing, and is not repeated',
    async (status, body) => {
      const { url } = await startCanned(() => ({ status, body }))
      const options = { ...basic, tokenEndpoint: url, introspectionEndpoint: `${url}/ask` }
      const asked = connect(options, secret).introspect?.(held.refreshToken, call())
      expect(await errorOf(asked ?? Promise.resolve())).toEqual({
        code: 'ERR_RESPONSE',
        message: `introspection gave an answer outside its RFC (status ${status})`,
        mayHaveSpent: false,
      })
    },
  )

  test('no message holds a token, a secret or what a server wrote', async () => {
    const body = '{"error":"weird","error_description":"token held-refresh-token is bad"}'
    const { url } = await startCanned(() => ({ status: 400, body }))
    const error = await errorOf(grant(connect({ ...basic, tokenEndpoint: url }, secret), held))
    expect(error.message).toBe(
      'the token endpoint refused for a reason of its own (status 400, keys: error, error_description)',
    )
  })
})

describe('discovery', () => {
  const answers = (issuer: string, over: Record<string, unknown>) => ({
    body: JSON.stringify({ issuer, ...over }),
  })

  test('falls back to the OpenID Connect address, whatever the other answers', async () => {
    const { url, seen } = await startCanned(({ path }) => {
      if (path === '/token') return { body: '{"access_token":"a","token_type":"Bearer"}' }
      if (path.endsWith('openid-configuration')) {
        return answers(`${url}/tenant`, { token_endpoint: `${url}/token` })
      }
      return { body: '<html></html>' }
    })
    await grant(connect({ ...basic, issuer: `${url}/tenant` }, secret), held)
    expect(seen.map(({ path }) => path)).toEqual([
      '/.well-known/oauth-authorization-server/tenant',
      '/tenant/.well-known/openid-configuration',
      '/token',
    ])
    expect(seen[0]?.headers.authorization).toBeUndefined()
  })

  test.each([
    [
      'no metadata',
      () => ({ status: 404 }),
      'issuer: no metadata is found there (status 404; redirects are not followed); check it, or configure tokenEndpoint instead',
    ],
    [
      'a redirect',
      () => ({ status: 301, headers: { location: 'https://elsewhere.example/' } }),
      'issuer: no metadata is found there (status 301; redirects are not followed); check it, or configure tokenEndpoint instead',
    ],
    [
      'another issuer',
      () => answers('https://other.example', { token_endpoint: 'https://other.example/token' }),
      'issuer: the metadata found there is of another issuer; allowed is the issuer exactly as its server spells it',
    ],
    [
      'no token endpoint',
      (url: string) => answers(url, {}),
      'issuer: its metadata names no token endpoint with https',
    ],
    [
      'a token endpoint without TLS',
      (url: string) => answers(url, { token_endpoint: 'http://other.example/token' }),
      'issuer: its metadata names no token endpoint with https',
    ],
    [
      'a token endpoint that is no URL',
      (url: string) => answers(url, { token_endpoint: 7 }),
      'issuer: its metadata names no token endpoint with https',
    ],
  ])('%s is refused before anything is sent', async (_what, canned, message) => {
    const { url, seen } = await startCanned(() => canned(url))
    const client = connect({ ...basic, issuer: url }, secret)
    expect(await errorOf(grant(client, held))).toEqual({
      code: 'ERR_CONFIG',
      message,
      mayHaveSpent: false,
    })
    expect(seen.every(({ method }) => method === 'GET')).toBe(true)
  })

  test('a client with a certificate is led to the endpoints made for it', async () => {
    const { url, seen } = await startCanned(({ path }) =>
      path === '/mtls/token'
        ? { body: '{"access_token":"a","token_type":"Bearer"}' }
        : answers(url, {
            token_endpoint: `${url}/token`,
            mtls_endpoint_aliases: { token_endpoint: `${url}/mtls/token` },
          }),
    )
    const { credential } = await startServer({}, { variant: 'tls_client_auth' })
    const options = { ...basic, issuer: url, clientAuthentication: 'tls_client_auth' }
    const client = connect(options, credential)
    await grant(client, held)
    expect(seen.at(-1)?.path).toBe('/mtls/token')
    const verified = await client.verify?.(tokenSet('a'), call())
    expect(verified?.certificates).toEqual([
      { name: 'client certificate', notAfter: expect.any(Date) },
    ])
  })

  test('the metadata is asked for once per run', async () => {
    const { server, held, open } = await startServer()
    const client = open()
    await client.verify?.(await grant(client, held), call())
    expect(server.counters().calls['GET /.well-known/oauth-authorization-server']).toBe(1)
  })
})

describe('configuration', () => {
  const url = 'https://login.example.com/token'

  test.each([
    [{ ...basic }, 'issuer: found neither of issuer and tokenEndpoint; allowed is one'],
    [
      { ...basic, issuer: 'https://login.example.com', tokenEndpoint: url },
      'issuer: found both of issuer and tokenEndpoint; allowed is one',
    ],
    [
      { ...basic, tokenEndpoint: url, revokeSuperseded: true },
      'revocationEndpoint: is needed for revokeSuperseded where no issuer is configured',
    ],
  ])('%j is refused with its reason', (options, message) => {
    const connection = connectionOf(options)
    expect(thrownBy(() => oauth2.url(connection))).toBe(message)
    expect(thrownBy(() => oauth2.spends(connection))).toBe(message)
    expect(thrownBy(() => oauth2.accessLifetimeSeconds(connection))).toBe(message)
  })

  const https =
    'allowed is an https URL without user name, password, query or fragment, e.g. https://192.0.2.10'
  test.each([
    ['issuer', 'http://login.example.com', https],
    ['verifyUrl', 'api.example.com', https],
    ['baseUrl', 'ftp://api.example.com', https],
    ['grant', 'password', 'allowed is refresh_token or client_credentials'],
    [
      'clientAuthentication',
      'client_secret_jwt',
      'allowed are client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, none',
    ],
    ['scope', 'a  b', 'allowed are scopes separated by single spaces'],
    ['resource', 'no uri', 'allowed is an absolute URI without user name, password or fragment'],
    ['resource', 7, 'allowed is a URI or a list of URIs'],
    ['accessTokenLifetimeSeconds', 59, 'allowed is 60 or more'],
    ['accessTokenLifetimeSeconds', 31_536_001, 'allowed is 31536000 or less'],
    ['accessTokenLifetimeSeconds', '3600', 'allowed is number'],
    ['rotatesRefreshToken', 'yes', 'allowed is true or false'],
    ['revokeSuperseded', 1, 'allowed is true or false'],
    [
      'privateKeyAlgorithm',
      'none',
      'allowed are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA',
    ],
  ])('option %s of %j is refused with what is allowed', (name, value, allowed) => {
    const message = thrownBy(() =>
      connectionOf({ ...basic, issuer: 'https://a.example', [name]: value }),
    )
    expect(message).toBe(`connections[0].${name}: found ${JSON.stringify(value)}; ${allowed}`)
  })

  test('a password or a query in a URL is refused and not repeated', () => {
    const message = thrownBy(() =>
      connectionOf({ ...basic, issuer: 'https://a:made-up@b.example' }),
    )
    expect(message).toBe(`connections[0].issuer: found "https://b.example/…"; ${https}`)
    const query = 'https://login.example.com/token?client_secret=made-up'
    expect(thrownBy(() => connectionOf({ ...basic, tokenEndpoint: query }))).toBe(
      `connections[0].tokenEndpoint: found "https://login.example.com/…"; ${https}`,
    )
  })

  test.each([
    'client_secret',
    'client_assertion',
    'apiKey',
    'api_secret_key',
    'password',
    'access_token',
    'grant_type',
    'scope',
  ])('a parameter %s is refused without repeating its value', (name) => {
    const parameters = { [name]: 'made-up-value' }
    const message = thrownBy(() => connectionOf({ ...basic, tokenEndpoint: url, parameters }))
    expect(message).toBe(
      `connections[0].parameters.${name}: found "${name}"; allowed are parameters that no other option sets and that are no credentials: those are enrolled`,
    )
  })

  test('an option that does not exist is refused', () => {
    expect(thrownBy(() => connectionOf({ ...basic, tokenEndpoint: url, rotates: true }))).toBe(
      'connections[0].rotates: is not an option of this vendor; check its spelling against the schema',
    )
  })

  test('a credential in the configuration is refused', () => {
    const message = thrownBy(() =>
      connectionOf({ ...basic, tokenEndpoint: url, clientSecret: 'made-up-value' }),
    )
    expect(message).toMatch(/^connections\[0\]\.clientSecret: is a credential/)
    expect(message).not.toContain('made-up-value')
  })

  test('what is spent follows from the grant and from rotation', () => {
    const spends = (options: object) =>
      oauth2.spends(connectionOf({ ...basic, tokenEndpoint: url, ...options }))
    expect(spends({})).toBe('refresh-token')
    expect(spends({ rotatesRefreshToken: false })).toBe('nothing')
    expect(spends({ grant: 'client_credentials' })).toBe('nothing')
  })

  test('the consumer’s base URL is the configured one, or the server’s origin', () => {
    const at = (options: object) => oauth2.url(connectionOf({ ...basic, ...options }))
    expect(at({ tokenEndpoint: url })).toBe('https://login.example.com')
    expect(at({ issuer: 'https://login.example.com/tenant' })).toBe('https://login.example.com')
    expect(at({ tokenEndpoint: url, baseUrl: 'https://api.example.com/v2/' })).toBe(
      'https://api.example.com/v2',
    )
  })

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
  const jwt = { clientAuthentication: 'private_key_jwt' }
  const mtls = { clientAuthentication: 'tls_client_auth' }
  test.each([
    [{}, {}, 'clientSecret: is not enrolled; client_secret_basic needs it'],
    [{}, { clientSecret: 7 }, 'clientSecret: has the wrong shape; allowed is text'],
    [{}, { clientSecret: '' }, 'clientSecret: has the wrong shape; allowed is text'],
    [jwt, {}, 'privateKey: is not enrolled; private_key_jwt needs it'],
    [jwt, { privateKey: 'x' }, 'privateKey: is not a key; allowed is unencrypted PEM (PKCS #8)'],
    [
      { ...jwt, privateKeyAlgorithm: 'ES256' },
      { privateKey: rsa },
      'privateKey: is of kind rsa; privateKeyAlgorithm ES256 takes prime256v1',
    ],
    [mtls, { privateKey: rsa }, 'certificate: is not enrolled; tls_client_auth needs it'],
    [
      mtls,
      { certificate: 'x' },
      'privateKey: is not enrolled; the certificate is of no use without it',
    ],
    [
      mtls,
      { certificate: 'x', privateKey: rsa },
      'certificate: is not a certificate; allowed is PEM, its chain after it',
    ],
    [
      { clientId: undefined },
      { clientSecret: 'x' },
      'clientId: is neither configured nor enrolled',
    ],
    [
      {},
      { clientId: 'other', clientSecret: 'x' },
      'clientId: differs between configuration and enrollment secret',
    ],
  ])('%j with %j is refused by field', (options, credential, message) => {
    const configured = { ...basic, tokenEndpoint: url, ...options }
    expect(thrownBy(() => connect(configured, credential))).toBe(message)
  })

  test('a key that is not the certificate’s is refused by field', async () => {
    const { credential } = await startServer({}, { variant: 'tls_client_auth' })
    const mixed = { ...credential, privateKey: rsa }
    expect(thrownBy(() => oauth2.tlsMaterial?.(mixed))).toBe(
      'privateKey: is not the key of the enrolled certificate',
    )
  })

  test('a refresh token that has certainly run out is not sent', () => {
    const [refresh] = connect({ ...basic, tokenEndpoint: url }, secret).grants
    const refreshToken = new Redacted('refresh-1')
    const at = (seconds: number) => new Date(now.getTime() + seconds * 1000)
    expect(refresh?.usable({}, now)).toBe(false)
    expect(refresh?.usable({ refreshToken }, now)).toBe(true)
    expect(refresh?.usable({ refreshToken, refreshExpiresAt: at(-59) }, now)).toBe(true)
    expect(refresh?.usable({ refreshToken, refreshExpiresAt: at(-60) }, now)).toBe(false)
  })
})

function tokenSet(accessToken: string): TokenSet {
  return {
    accessToken: new Redacted(accessToken),
    tokenType: 'Bearer',
    issuedAt: now,
    expiresAt: new Date('2026-01-01T01:00:00Z'),
    grant: 'refresh_token',
  }
}

function assertionOf({ body }: { body: string }): string {
  return new URLSearchParams(body).get('client_assertion') ?? ''
}
