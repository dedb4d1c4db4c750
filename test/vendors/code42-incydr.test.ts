import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Connection } from '../../lib/core/connection.ts'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import { isRotatorError } from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { HeldTokens, TokenSet } from '../../lib/core/vendor.ts'
import { createHttp } from '../../lib/http.ts'
import {
  type IncydrSimulator,
  code42Incydr as simulated,
} from '../../lib/local/simulators/code42-incydr.ts'
import type { SimulatorOptions } from '../../lib/local/simulators/simulator.ts'
import { code42Incydr } from '../../lib/vendors/code42-incydr.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { vendorContract } from './contract.ts'

/** The first instant of a step of 30 s. */
const START = new Date('2026-01-01T00:00:00Z')

type Options = Record<string, unknown>

const connectionOf = (options: Options): Connection => {
  const [connection] = decodeConnections(
    [{ id: 'incydr-1', vendor: 'code42-incydr', ...options }],
    vendors,
  )
  if (connection === undefined) throw new Error('no connection')
  return connection
}

/** A simulator, and a client for it; `skewSeconds` puts the vendor's clock ahead of ours. */
async function setUp(
  options: Options = {},
  { skewSeconds = 0, ...simulator }: SimulatorOptions & { skewSeconds?: number } = {},
) {
  const clock = { now: START }
  const after = (seconds: number) => new Date(clock.now.getTime() + seconds * 1000)
  const incydr = await simulated.start({ plain: true, now: () => after(skewSeconds), ...simulator })
  onTestFinished(() => incydr.close())
  const { url, ca } = incydr
  const connection = connectionOf({
    url,
    ...(options.flow === 'user-token' && { consoleUrl: url }),
    ...(options.flow === 'refresh-pair' && { refreshUrl: `${url}/v1/refresh-token` }),
    ...options,
  })
  const connect = (credential = incydr.credential) => {
    const http = createHttp(ca === undefined ? {} : { ca })
    onTestFinished(() => http.close())
    return code42Incydr.connect(connection, credential, http)
  }
  const call = (known: Record<string, string> = {}) => ({
    now: clock.now,
    timeoutSeconds: 5,
    known,
  })
  const client = connect()
  return {
    incydr,
    client,
    connect,
    call,
    wait(seconds: number) {
      clock.now = after(seconds)
    },
    grant: (held: HeldTokens = {}, known = {}, by = client) => request(by, held, call(known)),
    verify: (tokens: TokenSet, known = {}) =>
      client.verify?.(tokens, call(known)) ?? Promise.reject(new Error('no verify')),
  }
}

function request(
  client: ReturnType<typeof code42Incydr.connect>,
  held: HeldTokens,
  call: Parameters<NonNullable<typeof client.verify>>[1],
) {
  const [grant] = client.grants
  return grant === undefined ? Promise.reject(new Error('no grant')) : grant.request(held, call)
}

/** What an operator sees of a failure, and what the engine goes by. */
async function failure(promise: Promise<unknown>) {
  try {
    await promise
  } catch (error) {
    if (!isRotatorError(error)) throw error
    const { code, message, ...rest } = { ...error, code: error.code, message: error.message }
    const { sent, spent, status, rejected, field, reason } = rest as Record<string, unknown>
    const told = { code, message, sent, spent, status, rejected, field, reason }
    return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined))
  }
  throw new Error('nothing failed')
}

/** A server that answers once with these bytes and keeps what it was sent. */
async function listen(...answers: string[]) {
  const received: string[] = []
  const server = createServer((socket) => {
    socket.on('data', (bytes) => {
      received.push(bytes.toString('latin1'))
      socket.end(answers.shift() ?? '')
    })
    socket.on('error', () => undefined)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return { url: `http://127.0.0.1:${port}`, received }
}

const json = (body: unknown, status = '200 OK', headers = '') => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n${headers}content-length: ${text.length}\r\n\r\n${text}`
}

/** A client of a server that answers with these bytes. */
async function facing(answer: string, options: (url: string) => Options, credential: Options) {
  const { url, received } = await listen(answer)
  const http = createHttp()
  onTestFinished(() => http.close())
  const client = code42Incydr.connect(connectionOf(options(url)), credential, http)
  const call = { now: START, timeoutSeconds: 5, known: {} }
  const grant = (held: HeldTokens = {}) => request(client, held, call)
  return { received, grant, client, call }
}

const apiClient = { clientId: 'key-1', clientSecret: 'p%#@&:w' }
const user = { username: 'user@example.test', password: 'pä:ss' }
/** `12345678901234567890`, the seed of RFC 6238, appendix B. */
const rfcSeed = 'GEZD GNBV GY3T QOJQ gezdgnbvgy3tqojq'
const asUser = (url: string) => ({ flow: 'user-token', url, consoleUrl: url })
const asPair = (url: string) => ({ flow: 'refresh-pair', url, refreshUrl: `${url}/v9/renew` })

const only = ({ credential }: IncydrSimulator, ...fields: readonly string[]) =>
  Object.fromEntries(fields.map((field) => [field, credential[field]]))
const basicOf = ({ credential }: IncydrSimulator, name: string, secret: string) =>
  `Basic ${Buffer.from(`${credential[name]}:${credential[secret]}`).toString('base64')}`
const proof = (line: string) => ({
  on: 'verify',
  sent: (_incydr: IncydrSimulator, token: string) => ({ line, authorization: `Bearer ${token}` }),
})

vendorContract<IncydrSimulator>({
  vendor: code42Incydr,
  start: simulated.start,
  options: ({ url }) => ({ url }),
  credential: (incydr) => only(incydr, 'clientId', 'clientSecret'),
  consume: ({ url }) => ({ method: 'GET', url: `${url}/v1/users` }),
  grants: [
    {
      name: 'client_credentials',
      spends: 'nothing',
      on: 'mint',
      prepare: async () => ({}),
      sent: (incydr) => ({
        line: 'POST /v1/oauth',
        authorization: basicOf(incydr, 'clientId', 'clientSecret'),
      }),
      answer: (access_token) => ({ access_token, token_type: 'bearer', expires_in: 900 }),
    },
  ],
  verify: proof('GET /v1/customer'),
  misshapen: [{ credential: { clientId: 'key-1', clientSecret: 7 }, field: 'clientSecret' }],
})

vendorContract<IncydrSimulator>({
  vendor: code42Incydr,
  start: simulated.start,
  options: ({ url }) => ({ flow: 'user-token', url, consoleUrl: url }),
  elsewhere: (url) => ({ url, consoleUrl: url }),
  credential: (incydr) => only(incydr, 'username', 'password', 'totpSecret'),
  consume: ({ url }) => ({ method: 'GET', url: `${url}/v1/users` }),
  grants: [
    {
      name: 'user_token',
      spends: 'nothing',
      on: 'login',
      prepare: async () => ({}),
      sent: (incydr) => ({
        line: 'GET /api/v3/auth/jwt?useBody=true',
        authorization: basicOf(incydr, 'username', 'password'),
      }),
      answer: (v3_user_token) => ({ data: { v3_user_token }, error: null, warnings: null }),
    },
  ],
  verify: proof('GET /api/v1/User/my'),
  misshapen: [{ credential: { ...user, totpSecret: 'no seed' }, field: 'totpSecret' }],
})

vendorContract<IncydrSimulator>({
  vendor: code42Incydr,
  start: simulated.start,
  options: ({ url }) => ({ flow: 'refresh-pair', url, refreshUrl: `${url}/v1/refresh-token` }),
  elsewhere: (url) => ({ url, refreshUrl: `${url}/v1/refresh-token` }),
  credential: () => ({}),
  consume: ({ url }) => ({ method: 'GET', url: `${url}/v1/users` }),
  grants: [
    {
      name: 'refresh_token',
      spends: 'refresh-token',
      on: 'refresh',
      prepare: async ({ simulator }) => ({
        refreshToken: new Redacted(String(simulator.credential.refreshToken)),
      }),
      sent: (_incydr, held) => ({
        line: 'POST /v1/refresh-token',
        body: { refreshToken: held.refreshToken?.reveal() },
      }),
      answer: (access, refresh) => ({
        accessToken: { tokenValue: access, expiresAt: '2099-01-01T00:00:00Z' },
        refreshToken: { tokenValue: refresh, expiresAt: '2099-01-01T00:00:00Z' },
      }),
    },
  ],
  verify: proof('GET /v1/customer'),
  misshapen: [],
})

describe('an API client', () => {
  test('mints as the vendor’s SDK does: Basic, an empty body, no content type, no grant_type', async () => {
    const { received, grant } = await facing(
      json({ access_token: 'a1', token_type: 'bearer', expires_in: 900 }),
      (url) => ({ url }),
      apiClient,
    )
    const tokens = await grant()
    const [head = '', body] = received.join('').split('\r\n\r\n')
    const [line, ...headers] = head.split('\r\n')
    expect(line).toBe('POST /v1/oauth HTTP/1.1')
    // key-1:p%#@&:w in Base64.
    expect(headers).toContain('authorization: Basic a2V5LTE6cCUjQCY6dw==')
    expect(headers).toContain('content-length: 0')
    expect(headers).toContain('user-agent: token-rotator')
    expect(head.toLowerCase()).not.toContain('content-type')
    expect(body).toBe('')
    expect(tokens.accessToken.reveal()).toBe('a1')
    expect(tokens.expiresAt).toEqual(new Date('2026-01-01T00:15:00Z'))
  })

  test('gives a token that readers send as a bearer and the tenant knows, over TLS', async () => {
    const { grant, verify, client, incydr } = await setUp({}, { plain: false })
    const tokens = await grant()
    expect(client.headers(tokens)).toEqual({
      Authorization: `Bearer ${tokens.accessToken.reveal()}`,
    })
    const { facts } = await verify(tokens)
    expect(facts).toEqual({ tenantId: expect.stringMatching(/^[0-9a-f]{32}$/) })
    expect(incydr.counters().calls).toEqual({ 'POST /v1/oauth': 1, 'GET /v1/customer': 1 })
  })

  test('holds nothing: what it gives can be had again at will', async () => {
    const { client, grant } = await setUp()
    expect(client.grants).toMatchObject([{ spends: 'nothing', keeps: 'nothing' }])
    expect(Object.keys(await grant())).not.toContain('refreshToken')
  })

  test.each([600, -600])(
    'counts from its own clock when the vendor’s is off by %i s',
    async (skewSeconds) => {
      const { grant } = await setUp({}, { skewSeconds })
      expect((await grant()).expiresAt).toEqual(new Date('2026-01-01T00:15:00Z'))
    },
  )

  test('takes 900 s where the answer does not say', async () => {
    const { grant } = await setUp({}, { fault: 'no-expires-in' })
    expect((await grant()).expiresAt).toEqual(new Date('2026-01-01T00:15:00Z'))
  })

  test('is refused for good when its secret was reset, with the reason and the remedy', async () => {
    const { incydr, grant } = await setUp()
    incydr.resetSecret()
    expect(await failure(grant())).toEqual({
      code: 'ERR_GRANT_REFUSED',
      reason: 'invalid_client',
      status: 401,
      message:
        'the vendor refused clientId and clientSecret; if the secret was reset in the console, enroll the new one (invalid_client, status 401)',
    })
  })

  test.each([
    [400, { error: 'unauthorized_client' }, 'unauthorized_client'],
    [401, 'Unauthorized', 'invalid_client'],
    [403, { error: 'made-up: p%#@&:w' }, 'invalid_client'],
  ])(
    'is refused by %i whatever the body; only codes of the standard are repeated',
    async (status, body, reason) => {
      const { grant } = await facing(json(body, `${status} No`), (url) => ({ url }), apiClient)
      const error = await failure(grant())
      expect(error).toMatchObject({ code: 'ERR_GRANT_REFUSED', reason, status })
    },
  )

  test.each([
    [
      'expires-in-zero',
      'v1/oauth gave an expires_in of 0; allowed is a number of seconds above 0 and up to 86400 (status 200)',
    ],
    [
      'expires-in-negative',
      'v1/oauth gave an expires_in of -900; allowed is a number of seconds above 0 and up to 86400 (status 200)',
    ],
    [
      'expires-in-text',
      'v1/oauth gave an expires_in of a string; allowed is a number of seconds above 0 and up to 86400 (status 200)',
    ],
    [
      'expires-in-huge',
      'v1/oauth gave an expires_in of 1000000000000; allowed is a number of seconds above 0 and up to 86400 (status 200)',
    ],
    ['other-token-type', 'v1/oauth gave a token_type other than bearer (status 200)'],
    [
      'line-break',
      'v1/oauth gave a token that no header can carry; allowed are printable ASCII characters without spaces (status 200, keys: access_token, token_type, expires_in)',
    ],
    [
      'redirect',
      'v1/oauth answered with a redirect, which is never followed with a credential; check url (status 302, keys: none)',
    ],
    [
      'html',
      'v1/oauth answered with a web page instead of JSON; check url and what stands in between (status 200, keys: none)',
    ],
    ['empty', 'v1/oauth gave no token (status 200, keys: none)'],
    ['rate-limited', 'v1/oauth gave no token (status 429, keys: error)'],
    ['error-500', 'v1/oauth gave no token (status 500, keys: none)'],
    ['error-503', 'v1/oauth gave no token (status 503, keys: none)'],
  ])('under %s gives no token and says why', async (fault, message) => {
    const { grant } = await setUp({}, { fault })
    expect(await failure(grant())).toMatchObject({ code: 'ERR_RESPONSE', message })
  })

  test('says where to look when the address is not that of the gateway', async () => {
    const { grant } = await facing(json({}, '404 Not Found'), (url) => ({ url }), apiClient)
    expect((await failure(grant())).message).toBe(
      'v1/oauth is not known there; check url (status 404, keys: none)',
    )
  })

  test.each([
    ['drop-before', 'maybe'],
    ['consume-then-drop', 'maybe'],
    ['truncated-body', 'maybe'],
  ])('under %s fails as a lost answer', async (fault, sent) => {
    const { grant } = await setUp({}, { fault })
    expect(await failure(grant())).toMatchObject({ code: 'ERR_TRANSPORT', sent })
  })

  test('takes members that nobody documented', async () => {
    const { grant } = await setUp({}, { fault: 'extra-fields' })
    expect((await grant()).accessToken.reveal()).toMatch(/^ey/)
  })

  test('follows no redirect: the other host is never asked', async () => {
    const other = await listen(json({ access_token: 'stolen', expires_in: 900 }))
    const { grant } = await facing(
      `HTTP/1.1 307 Go\r\nlocation: ${other.url}/v1/oauth\r\ncontent-length: 0\r\n\r\n`,
      (url) => ({ url }),
      apiClient,
    )
    expect((await failure(grant())).code).toBe('ERR_RESPONSE')
    expect(other.received).toEqual([])
  })

  test.each([
    [
      { clientId: 'key-1' },
      'clientSecret',
      'clientSecret: is not enrolled; this flow takes clientId, clientSecret',
    ],
    [
      { clientSecret: 's' },
      'clientId',
      'clientId: is not enrolled; this flow takes clientId, clientSecret',
    ],
    [
      { clientId: 7, clientSecret: 's' },
      'clientId',
      'clientId: has the wrong shape; allowed is text',
    ],
    [
      { clientId: 'a:b', clientSecret: 's' },
      'clientId',
      'clientId: has the wrong shape; allowed is text without a colon',
    ],
    [
      { clientId: 'key-1', clientSecret: 's\n' },
      'clientSecret',
      'clientSecret: has the wrong shape; allowed is text without line breaks and control characters',
    ],
    [
      { clientId: 'key-1', clientSecret: '' },
      'clientSecret',
      'clientSecret: has the wrong shape; allowed is text without line breaks and control characters',
    ],
  ])('refuses the credential %j before anything is sent', async (credential, field, message) => {
    const { connect } = await setUp()
    const connecting = async () => connect(credential as typeof credential & Record<string, string>)
    expect(await failure(connecting())).toEqual({ code: 'ERR_CONFIG', field, message })
  })
})

describe('verifying', () => {
  const tokenSet: TokenSet = {
    accessToken: new Redacted('made-up'),
    tokenType: 'Bearer',
    issuedAt: START,
    expiresAt: new Date('2026-01-01T00:15:00Z'),
    grant: 'client_credentials',
  }

  test('a missing permission proves the token, and is named', async () => {
    const { grant, verify } = await setUp({}, { fault: 'no-permission' })
    expect(await verify(await grant())).toEqual({
      warning:
        'the token is good, but lacks the permission for GET /v1/customer: grant it read access in the console, or expect no check of the tenant',
    })
  })

  test('a dead token is rejected', async () => {
    const { verify } = await setUp()
    expect(await failure(verify(tokenSet))).toEqual({
      code: 'ERR_VERIFY_FAILED',
      rejected: true,
      message: 'GET /v1/customer refused the new access token (status 401)',
    })
  })

  test.each([
    ['html', 200],
    ['empty', 200],
    ['redirect', 302],
    ['rate-limited', 429],
    ['error-503', 503],
  ])('under %s it could not be found out', async (kind, status) => {
    const { incydr, grant, verify } = await setUp()
    const tokens = await grant()
    incydr.inject({ kind })
    expect(await failure(verify(tokens))).toEqual({
      code: 'ERR_VERIFY_FAILED',
      rejected: false,
      message: `GET /v1/customer gave no answer to go by (status ${status})`,
    })
  })

  test('another tenant than before is a warning', async () => {
    const { grant, verify } = await setUp()
    const tokens = await grant()
    const { facts, warning } = await verify(tokens)
    expect(warning).toBeUndefined()
    expect((await verify(tokens, facts)).warning).toBeUndefined()
    expect((await verify(tokens, { tenantId: 'tenant-0' })).warning).toBe(
      `tenant ${facts?.tenantId} answers where tenant-0 did`,
    )
  })
})

describe('a user token', () => {
  test('is asked for with Basic, a code of RFC 6238 and useBody', async () => {
    const { received, client } = await facing(json({ data: { v3_user_token: 'u1' } }), asUser, {
      ...user,
      totpSecret: rfcSeed,
    })
    // 287082: the last six digits for 59 s in RFC 6238, appendix B.
    const call = { now: new Date(59_000), timeoutSeconds: 5, known: {} }
    const tokens = await request(client, {}, call)
    const [head = ''] = received.join('').split('\r\n\r\n')
    expect(head).toMatch(/^GET \/api\/v3\/auth\/jwt\?useBody=true HTTP\/1\.1\r\n/)
    expect(head).toContain('\r\ntotp-auth: 287082')
    // user@example.test:pä:ss in UTF-8 and Base64.
    expect(head).toContain('\r\nauthorization: Basic dXNlckBleGFtcGxlLnRlc3Q6cMOkOnNz')
    expect(tokens.accessToken.reveal()).toBe('u1')
    // Not a JWT: the documented half hour.
    expect(tokens.expiresAt).toEqual(new Date(59_000 + 1_800_000))
  })

  test('without a seed no code is sent, and the older path is an option', async () => {
    const { received, grant } = await facing(
      json({ v3_user_token: 'u1' }),
      (url) => ({ ...asUser(url), userTokenPath: '/c42api/v3/auth/jwt' }),
      user,
    )
    await grant()
    expect(received[0]).toMatch(/^GET \/c42api\/v3\/auth\/jwt\?useBody=true /)
    expect(received[0]).not.toContain('totp-auth')
  })

  test.each(['/api/v3/auth/jwt', '/c42api/v3/auth/jwt'])(
    'works at %s with a code of the enrolled seed',
    async (userTokenPath) => {
      const { grant, verify, incydr } = await setUp({ flow: 'user-token', userTokenPath })
      const tokens = await grant()
      expect(tokens.expiresAt).toEqual(new Date('2026-01-01T00:30:00Z'))
      expect(await verify(tokens)).toEqual({})
      expect(incydr.counters().calls).toEqual({
        [`GET ${userTokenPath}`]: 1,
        'GET /api/v1/User/my': 1,
      })
    },
  )

  test('is proven at the gateway where readers use it there', async () => {
    const gateway = await listen(json({ tenantId: 't-1' }))
    const { grant, verify } = await setUp({ flow: 'user-token', url: gateway.url })
    expect(await verify(await grant())).toEqual({ facts: { tenantId: 't-1' } })
    expect(gateway.received[0]).toMatch(/^GET \/v1\/customer /)
  })

  test('announces the step of its code, and never sends a code twice in it', async () => {
    const { grant, call, client, incydr, wait } = await setUp({ flow: 'user-token' })
    const announced = client.grants[0]?.announces?.(call())
    expect(announced).toEqual({ totpStep: '58907520' })
    wait(29)
    expect(await failure(grant({}, announced))).toEqual({
      code: 'ERR_TRANSPORT',
      sent: 'no',
      message:
        'the one-time code of these 30 s has been sent before; nothing was sent, the next tick sends the next one',
    })
    expect(incydr.counters().calls).toEqual({})
    wait(1)
    expect((await grant({}, announced)).grant).toBe('user_token')
  })

  test.each([600, -600])(
    'tells how far the clocks differ when its code fails: %i s',
    async (skewSeconds) => {
      const { grant } = await setUp({ flow: 'user-token' }, { skewSeconds })
      const error = await failure(grant())
      expect(error).toMatchObject({ code: 'ERR_GRANT_REFUSED', status: 401 })
      expect(error.message).toContain(
        `the vendor did not take the one-time code: check that totpSecret is the seed of this account; the clocks differ: the vendor's is 600 s ${skewSeconds > 0 ? 'ahead' : 'behind'}`,
      )
    },
  )

  test.each([600, -600])(
    'lives half an hour by our clock when the vendor’s is off by %i s',
    async (skewSeconds) => {
      const { grant } = await setUp({ flow: 'user-token' }, { skewSeconds, fault: 'totp-off' })
      expect((await grant()).expiresAt).toEqual(new Date('2026-01-01T00:30:00Z'))
    },
  )

  test.each(['totp-not-set-up', 'key-elsewhere'])(
    'whose account must set up two-factor login first is told so (%s)',
    async (fault) => {
      const { grant, incydr } = await setUp({ flow: 'user-token' }, { fault })
      if (fault === 'key-elsewhere') incydr.inject({ kind: 'totp-not-set-up' })
      expect(await failure(grant())).toMatchObject({
        code: 'ERR_GRANT_REFUSED',
        reason: 'TOTP_AUTH_CONFIGURATION_REQUIRED_FOR_USER',
        message: expect.stringMatching(/^the account must set up two-factor login first: sign in/),
      })
    },
  )

  test.each([undefined, 'key-elsewhere'])(
    'whose account asks for a code that has no seed enrolled is told so (%s)',
    async (fault) => {
      const { grant, connect, incydr } = await setUp(
        { flow: 'user-token' },
        fault === undefined ? {} : { fault },
      )
      const { totpSecret: _, ...credential } = incydr.credential
      expect(await failure(grant({}, {}, connect(credential)))).toMatchObject({
        code: 'ERR_GRANT_REFUSED',
        reason: 'TIME_BASED_ONE_TIME_PASSWORD_REQUIRED',
        message: expect.stringMatching(
          /^the account has two-factor login and totpSecret is not enrolled/,
        ),
      })
    },
  )

  test('a wrong password is refused for good', async () => {
    const { grant, connect, incydr } = await setUp({ flow: 'user-token' })
    const error = await failure(grant({}, {}, connect({ ...incydr.credential, password: 'wrong' })))
    expect(error).toMatchObject({
      code: 'ERR_GRANT_REFUSED',
      message:
        'the vendor refused username and password: wrong, an account with single sign-on, or a plan without API access (invalid_grant, status 401)',
    })
  })

  test.each([
    [
      'line-break',
      'auth/jwt gave a token that no header can carry; allowed are printable ASCII characters without spaces (status 200, keys: data, error, warnings)',
    ],
    [
      'redirect',
      'auth/jwt answered with a redirect, which is never followed with a credential; check consoleUrl (status 302, keys: none)',
    ],
    [
      'html',
      'auth/jwt answered with a web page instead of JSON; check consoleUrl and what stands in between (status 200, keys: none)',
    ],
    ['error-429', 'auth/jwt gave no token (status 429, keys: none)'],
  ])('under %s gives no token and says why', async (fault, message) => {
    const { grant } = await setUp({ flow: 'user-token' }, { fault })
    expect(await failure(grant())).toMatchObject({ code: 'ERR_RESPONSE', message })
  })

  test.each([
    [
      { username: 'u' },
      'password: is not enrolled; this flow takes username, password, totpSecret',
    ],
    [
      { ...user, username: 'a:b' },
      'username: has the wrong shape; allowed is text without a colon',
    ],
    [
      { ...user, totpSecret: '123456' },
      'totpSecret: has the wrong shape; allowed is the Base32 seed of the authenticator (16 or more of A-Z and 2-7), not one of its codes',
    ],
    [
      { ...user, totpSecret: 'otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ' },
      'totpSecret: has the wrong shape; allowed is the Base32 seed of the authenticator (16 or more of A-Z and 2-7), not one of its codes',
    ],
  ])('refuses the credential %j', async (credential, message) => {
    const { connect } = await setUp({ flow: 'user-token' })
    const connecting = async () => connect(credential as typeof credential & Record<string, string>)
    expect(await failure(connecting())).toMatchObject({ code: 'ERR_CONFIG', message })
  })
})

describe('a refresh pair', () => {
  const held = (token: unknown): HeldTokens => ({ refreshToken: new Redacted(String(token)) })
  const half = (tokenValue: string, expiresAt?: unknown) => ({ tokenValue, expiresAt })
  const facingPair = (body: unknown, headers = '') =>
    facing(json(body, '200 OK', headers), asPair, {})

  test('is asked for with JSON and no Authorization, at the configured address', async () => {
    const { received, grant } = await facingPair({
      accessToken: half('a2', '2099-01-01T00:00:00Z'),
      refreshToken: half('r2', '2099-01-01T00:00:00Z'),
    })
    const tokens = await grant(held('r1'))
    const [head = '', body] = received.join('').split('\r\n\r\n')
    expect(head).toMatch(/^POST \/v9\/renew HTTP\/1\.1\r\n/)
    expect(head).toContain('\r\ncontent-type: application/json')
    expect(head.toLowerCase()).not.toContain('authorization')
    expect(body).toBe('{"refreshToken":"r1"}')
    expect(tokens.accessToken.reveal()).toBe('a2')
    expect(tokens.refreshToken?.reveal()).toBe('r2')
    // Nobody is believed for seventy years.
    expect(tokens.expiresAt).toEqual(new Date('2026-01-02T00:00:00Z'))
    expect(tokens.refreshExpiresAt).toEqual(new Date('2099-01-01T00:00:00Z'))
  })

  test('goes on from pair to pair, and each is held', async () => {
    const { incydr, grant, client, verify } = await setUp({ flow: 'refresh-pair' })
    expect(client.grants).toMatchObject([{ spends: 'refresh-token' }])
    expect(client.grants[0]?.keeps).toBeUndefined()
    const first = await grant(held(incydr.credential.refreshToken))
    const second = await grant(first)
    expect(second.refreshExpiresAt).toEqual(new Date('2026-01-01T12:00:00Z'))
    expect((await verify(second)).facts).toBeDefined()
    expect(incydr.counters()).toMatchObject({ spends: 2, presentedTwice: 0 })
  })

  test.each([600, -600])(
    'counts by the vendor’s own clock when that is off by %i s',
    async (skewSeconds) => {
      const { incydr, grant } = await setUp({ flow: 'refresh-pair' }, { skewSeconds })
      const tokens = await grant(held(incydr.credential.refreshToken))
      expect(tokens.expiresAt).toEqual(new Date('2026-01-01T00:30:00Z'))
      expect(tokens.refreshExpiresAt).toEqual(new Date('2026-01-01T12:00:00Z'))
    },
  )

  test.each([
    ['2026-01-01T00:20:00.5', '2026-01-01T00:20:00.500Z'],
    ['2026-01-01T02:20:00+02:00', '2026-01-01T00:20:00.000Z'],
    ['2025-12-31T23:00:00Z', '2026-01-01T00:15:00.000Z'],
    ['tomorrow', '2026-01-01T00:15:00.000Z'],
    [1767225600, '2026-01-01T00:15:00.000Z'],
    [null, '2026-01-01T00:15:00.000Z'],
  ])('that says it ends at %j is kept, and renewed by %s', async (expiresAt, end) => {
    // An instant without a zone must not become one of wherever this runs.
    vi.stubEnv('TZ', 'Asia/Tokyo')
    onTestFinished(() => void vi.unstubAllEnvs())
    const body = { accessToken: half('a2', expiresAt), refreshToken: half('r2', expiresAt) }
    const { grant } = await facingPair(body, 'date: Thu, 01 Jan 2026 00:00:00 GMT\r\n')
    const tokens = await grant(held('r1'))
    expect(tokens.expiresAt?.toISOString()).toBe(end)
    expect(tokens.refreshToken?.reveal()).toBe('r2')
  })

  test.each(['refuse', 'presented before'])('is refused: %s', async (how) => {
    const { incydr, grant } = await setUp({ flow: 'refresh-pair' })
    const { refreshToken } = incydr.credential
    if (how === 'refuse') incydr.inject({ kind: 'refuse' })
    else await grant(held(refreshToken))
    expect(await failure(grant(held(refreshToken)))).toEqual({
      code: 'ERR_GRANT_REFUSED',
      reason: 'invalid_grant',
      status: 401,
      message: 'the vendor refused the refresh token (invalid_grant, status 401)',
    })
  })

  test.each([
    ['no-refresh-token', 'the refresh URL gave no token (status 200, keys: accessToken)'],
    [
      'line-break',
      'the refresh URL gave a token that no header can carry; allowed are printable ASCII characters without spaces (status 200, keys: accessToken, refreshToken)',
    ],
    [
      'redirect',
      'the refresh URL answered with a redirect, which is never followed with a credential; check refreshUrl (status 302, keys: none)',
    ],
    [
      'html',
      'the refresh URL answered with a web page instead of JSON; check refreshUrl and what stands in between (status 200, keys: none)',
    ],
    ['empty', 'the refresh URL gave no token (status 200, keys: none)'],
    ['error-429', 'the refresh URL gave no token (status 429, keys: none)'],
    ['error-500', 'the refresh URL gave no token (status 500, keys: none)'],
    ['consume-then-500', 'the refresh URL gave no token (status 500, keys: none)'],
  ])('under %s leaves it in doubt whether the token was used up', async (fault, message) => {
    const { incydr, grant } = await setUp({ flow: 'refresh-pair' }, { fault })
    expect(await failure(grant(held(incydr.credential.refreshToken)))).toMatchObject({
      code: 'ERR_RESPONSE',
      spent: 'maybe',
      message,
    })
  })

  test.each(['consume-then-drop', 'truncated-body', 'drop-before'])(
    'under %s the answer counts as missing',
    async (fault) => {
      const { incydr, grant } = await setUp({ flow: 'refresh-pair' }, { fault })
      expect(await failure(grant(held(incydr.credential.refreshToken)))).toMatchObject({
        code: 'ERR_TRANSPORT',
        sent: 'maybe',
      })
    },
  )

  test('whose refresh token has run out is not sent for nothing', async () => {
    const { client } = await setUp({ flow: 'refresh-pair' })
    const [grant] = client.grants
    const ends = { ...held('r1'), refreshExpiresAt: START }
    expect(grant?.usable(ends, new Date('2025-12-31T23:59:59Z'))).toBe(true)
    expect(grant?.usable(ends, START)).toBe(false)
    expect(grant?.usable(held('r1'), START)).toBe(true)
    expect(grant?.usable({}, START)).toBe(false)
  })
})

describe('a configuration', () => {
  const url = 'https://api.us.code42.com'
  const consoleUrl = 'https://console.us.code42.com'
  const refreshUrl = 'https://tokens.example.com/renew'
  const refused = (options: Options) =>
    failure((async () => code42Incydr.url(connectionOf(options)))())

  test.each([
    [{ url }, 'nothing', 900],
    [{ flow: 'user-token', url, consoleUrl }, 'nothing', 1800],
    [{ flow: 'refresh-pair', url, refreshUrl }, 'refresh-token', 1800],
    [{ flow: 'refresh-pair', url, refreshUrl, accessLifetimeSeconds: 3600 }, 'refresh-token', 3600],
  ])('%j spends %s, and its tokens live %i s', (options, spends, seconds) => {
    const connection = connectionOf(options)
    expect(code42Incydr.spends(connection)).toBe(spends)
    expect(code42Incydr.accessLifetimeSeconds(connection)).toBe(seconds)
    expect(code42Incydr.url(connection)).toBe(url)
  })

  test.each([
    [{}, 'connections[0].url', /found nothing/],
    [{ url: 'http://api.us.code42.com' }, 'connections[0].url', /allowed is an https URL/],
    [
      { url: 'https://name:made-up@api.us.code42.com' },
      'connections[0].url',
      /allowed is an https URL without user name/,
    ],
    [
      { url: `${url}/?token=made-up` },
      'connections[0].url',
      /allowed is an https URL without user name, password, query/,
    ],
    [{ url: `${url}/v1` }, 'connections[0].url', /allowed is an address without a path/],
    [
      { flow: 'user-token', url, consoleUrl: 'http://192.0.2.1' },
      'connections[0].consoleUrl',
      /allowed is an https URL/,
    ],
    [
      { flow: 'refresh-pair', url, refreshUrl: `${refreshUrl}?token=made-up` },
      'connections[0].refreshUrl',
      /allowed is an https URL without user name, password, query/,
    ],
    [
      { flow: 'password', url },
      'connections[0].flow',
      /^connections\[0\].flow: found "password"; allowed are 'api-client', 'user-token' and 'refresh-pair'$/,
    ],
    [
      { flow: 'user-token', url, consoleUrl, userTokenPath: '/jwt' },
      'connections[0].userTokenPath',
      /allowed are '\/api\/v3\/auth\/jwt' and '\/c42api\/v3\/auth\/jwt'/,
    ],
    [{ url, apiUrl: url }, 'connections[0].apiUrl', /is not an option of this vendor/],
    [
      { url, clientSecret: 'made-up' },
      'connections[0].clientSecret',
      /credentials are enrolled, never configured/,
    ],
    [
      { flow: 'refresh-pair', url, refreshUrl, accessLifetimeSeconds: 60 },
      'connections[0].accessLifetimeSeconds',
      /allowed is 900 or more/,
    ],
    [
      { flow: 'user-token', url },
      'consoleUrl',
      /^consoleUrl: is missing; flow 'user-token' needs it$/,
    ],
    [
      { flow: 'refresh-pair', url },
      'refreshUrl',
      /^refreshUrl: is missing; flow 'refresh-pair' needs it$/,
    ],
    [
      { url, refreshUrl },
      'refreshUrl',
      /^refreshUrl: is of no use with flow 'api-client'; remove it, or check flow$/,
    ],
  ])('%j is refused', async (options, field, message) => {
    const error = await refused(options)
    expect(error).toMatchObject({ code: 'ERR_CONFIG', field })
    expect(error.message).toMatch(message)
    expect(error.message).not.toContain('made-up')
  })

  test('on loopback plain http will do', () => {
    expect(code42Incydr.url(connectionOf({ url: 'http://127.0.0.1:8080' }))).toBe(
      'http://127.0.0.1:8080',
    )
  })
})
