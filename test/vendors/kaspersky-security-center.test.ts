import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Secret, TOTP } from 'otpauth'
import { describe, expect, onTestFinished, test } from 'vitest'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import type { Call, TokenSet } from '../../lib/core/vendor.ts'
import { createHttp, type Transport } from '../../lib/http.ts'
import {
  type KscSimulator,
  kasperskySecurityCenter as simulated,
} from '../../lib/local/simulators/kaspersky-security-center.ts'
import type { SimulatorOptions } from '../../lib/local/simulators/simulator.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { kasperskySecurityCenter } from '../../lib/vendors/kaspersky-security-center.ts'
import { type VendorCase, vendorContract } from './contract.ts'

const now = new Date('2026-01-01T00:00:10Z')
const call = { now, timeoutSeconds: 5, known: {} }
const seed = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const enrolled = { username: 'openapi', password: 'made-up-pässword' }

const basicOf = (user: unknown, pass: unknown) =>
  `KSCBasic user="${base64(String(user))}", pass="${base64(String(pass))}", internal="1"`

const ksc: VendorCase<KscSimulator> = {
  vendor: kasperskySecurityCenter,
  start: simulated.start,
  options: ({ url }) => ({ url }),
  credential: ({ credential: { username, password, totpSecret } }) => ({
    username,
    password,
    totpSecret,
  }),
  consume: ({ url }) => ({
    method: 'POST',
    url: `${url}/api/v1.0/HostGroup.GroupIdGroups`,
    json: {},
  }),
  grants: [
    {
      name: 'start_session',
      spends: 'nothing',
      on: 'password',
      prepare: async () => ({}),
      sent: ({ credential: { username, password } }) => ({
        line: 'POST /api/v1.0/Session.StartSession',
        body: {},
        authorization: basicOf(username, password),
      }),
      answer: (PxgRetVal) => ({ PxgRetVal }),
    },
  ],
  verify: { on: 'verify', sent: () => ({ line: 'POST /api/v1.0/Session.Ping', body: {} }) },
  misshapen: [
    { credential: { password: 'made-up-password' }, field: 'username' },
    { credential: { username: 'openapi', password: 123_456_789 }, field: 'password' },
    { credential: { ...enrolled, totpSecret: 'not Base32 at all!' }, field: 'totpSecret' },
    { credential: { ...enrolled, domain: 'quoted"domain' }, field: 'domain' },
    { credential: { ...enrolled, internal: 'perhaps' }, field: 'internal' },
  ],
}

vendorContract(ksc)

function clientOf(
  url: string,
  options: Record<string, unknown> = {},
  credential: Record<string, unknown> = enrolled,
  tls: Transport = {},
) {
  const http = createHttp(tls)
  onTestFinished(() => http.close())
  const connection = { id: 'ksc-hq', vendor: 'kaspersky-security-center', options }
  return kasperskySecurityCenter.connect(
    { ...connection, options: { url, ...options } },
    credential,
    http,
  )
}

type Client = ReturnType<typeof clientOf>

function logIn(client: Client, more: Partial<Call> = {}): Promise<TokenSet> {
  const [grant] = client.grants
  if (grant === undefined) throw new Error('no grant')
  return grant.request({}, { ...call, ...more })
}

/** The simulator over plain HTTP, on the tests' own time, and a client of its account. */
async function server(options: Record<string, unknown> = {}, start: SimulatorOptions = {}) {
  const ksc = await simulated.start({ plain: true, now: () => now, ...start })
  onTestFinished(() => ksc.close())
  const { username, password, totpSecret, hostId } = ksc.credential
  const credential = { username, password, totpSecret }
  return { ksc, credential, hostId, client: clientOf(ksc.url, options, credential) }
}

interface Seen {
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server that says what it is told, call by call, and remembers what it was sent. */
async function scripted(...answers: ((response: ServerResponse) => void)[]) {
  const seen: Seen[] = []
  const listener = createServer(async (request, response) => {
    seen.push({ url: request.url, headers: request.headers, body: await text(request) })
    const answer = answers[seen.length - 1] ?? says({})
    answer(response)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  onTestFinished(() => void listener.close())
  return { url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`, seen }
}

const raw =
  (status: number, body: string, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, headers).end(body)
const says = (json: unknown) => raw(200, JSON.stringify(json))
const fails = (module: string, code: number) => says({ PxgError: { module, code, subcode: 0 } })
const asksForCode = (type = 'totp') =>
  raw(401, 'Authentication not finished', {
    'www-authenticate': `KSCMFA type="${type}", lengthHint="6"`,
    'x-ksc-session': 'half-open==',
  })
function base64(plain: string): string {
  return Buffer.from(plain).toString('base64')
}
const pathsOf = (seen: readonly Seen[]) => seen.map(({ url }) => url?.replace('/api/v1.0/', ''))

describe('a login', () => {
  test('sends KSCBasic with Base64 of UTF-8 and an empty object, and gives a session without an end', async () => {
    const { url, seen } = await scripted(says({ PxgRetVal: 'n0AbCdEfGh==' }))
    const client = clientOf(url)
    const tokens = await logIn(client)
    expect(seen).toMatchObject([
      {
        url: '/api/v1.0/Session.StartSession',
        headers: {
          authorization: `KSCBasic user="b3BlbmFwaQ==", pass="${base64(enrolled.password)}", internal="1"`,
          'content-type': 'application/json',
        },
        body: '{}',
      },
    ])
    expect(seen[0]?.headers).not.toHaveProperty('x-ksc-vserver')
    expect(tokens).toMatchObject({ expiresAt: null, issuedAt: now, tokenType: 'X-KSC-Session' })
    expect(client.headers(tokens)).toEqual({ 'X-KSC-Session': 'n0AbCdEfGh==' })
  })

  test.each([
    [{ domain: 'CORP' }, {}, 'domain="CORP", internal="0"'],
    [{}, { domain: 'CORP' }, 'domain="CORP", internal="0"'],
    [{ internal: false }, {}, 'internal="0"'],
    [{}, { internal: 'true' }, 'internal="1"'],
  ])('says where the account belongs: %j, enrolled %j', async (options, fields, end) => {
    const { url, seen } = await scripted(says({ PxgRetVal: 's' }))
    await logIn(clientOf(url, options, { ...enrolled, ...fields }))
    expect(seen[0]?.headers.authorization?.split('", ').slice(2).join('", ')).toBe(end)
  })

  test('names a virtual server by Base64, in both halves', async () => {
    const { url, seen } = await scripted(asksForCode(), says({ PxgRetVal: 's' }))
    await logIn(clientOf(url, { virtualServer: 'büro' }, { ...enrolled, totpSecret: seed }))
    expect(seen.map(({ headers }) => headers['x-ksc-vserver'])).toEqual(['YsO8cm8=', 'YsO8cm8='])
  })

  test.each([
    [401, 'Authentication failure'],
    [403, ''],
    [401, '<html>Unauthorized</html>'],
    [400, 'Authentication failure'],
  ])('refused with %i %j is a refusal, and was sent once', async (status, body) => {
    const { url, seen } = await scripted(raw(status, body))
    await expect(logIn(clientOf(url))).rejects.toMatchObject({
      code: 'ERR_GRANT_REFUSED',
      reason: 'invalid_credentials',
      status,
    })
    expect(pathsOf(seen)).toEqual(['Session.StartSession'])
  })

  test.each([
    ['KLWAT', 1453],
    ['KLSTD', 1184],
  ])('refused with status 200 and %s %i is a refusal too', async (module, code) => {
    const { url } = await scripted(fails(module, code))
    await expect(logIn(clientOf(url))).rejects.toMatchObject({
      code: 'ERR_GRANT_REFUSED',
      message: expect.stringContaining(`${module} ${code}`),
    })
  })

  test('the number of a refusal in another module is none', async () => {
    const { url } = await scripted(fails('KLPRSS', 1184))
    await expect(logIn(clientOf(url))).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      message: 'the login: the method failed, KLPRSS 1184 (status 200)',
    })
  })

  test('a busy server is asked again later', async () => {
    const { ksc, client } = await server()
    ksc.inject({ kind: 'busy' })
    await expect(logIn(client)).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      message: 'the login: the server is temporarily unavailable, KLSTD 1195 (status 200)',
    })
    expect((await logIn(client)).grant).toBe('start_session')
  })

  test.each(['a\r\nX-Evil: 1', 'a"b', "a'b", 'a b', '', 'ä', 5, null])(
    'a session id that could harm a header is refused: %j',
    async (id) => {
      const { url } = await scripted(says({ PxgRetVal: id }))
      await expect(logIn(clientOf(url))).rejects.toMatchObject({
        code: 'ERR_RESPONSE',
        message: 'Session.StartSession did not give what it is for (status 200, keys: PxgRetVal)',
      })
    },
  )

  test.each([
    ['an HTML page', raw(200, '<html>secret</html>', { 'content-type': 'text/html' }), 200],
    ['a redirect', raw(302, '', { location: 'https://evil.example.com/' }), 302],
    ['an empty body', raw(200, ''), 200],
    ['a number', raw(200, '5'), 200],
    ['a list', raw(200, '[]'), 200],
    ['an unavailable proxy', raw(503, 'busy'), 503],
  ])('answered by %s fails without a word of the body', async (_what, answer, status) => {
    const { url, seen } = await scripted(answer)
    await expect(logIn(clientOf(url))).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      message: `Session.StartSession was not answered as by an Administration Server; is this its Open API port? (status ${status}, keys: none)`,
    })
    expect(seen).toHaveLength(1)
  })

  test('answered by more than a mebibyte fails', async () => {
    const { url } = await scripted(says({ PxgRetVal: 'x'.repeat(1024 * 1024) }))
    await expect(logIn(clientOf(url))).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      message: expect.stringContaining('sent more than 1048576 bytes'),
    })
  })

  test.each(['chunked', 'slow-body'])('is not disturbed by %s', async (kind) => {
    const { ksc, client } = await server()
    ksc.inject({ kind, ms: 1 })
    expect(await logIn(client)).toMatchObject({ expiresAt: null })
  })
})

describe('the second factor', () => {
  const withSeed = { ...enrolled, totpSecret: seed }

  test('is a code of the seed for this half minute, given to the session that exists already', async () => {
    const { url, seen } = await scripted(asksForCode(), says({ PxgRetVal: 'half-open==' }))
    const tokens = await logIn(clientOf(url, {}, withSeed))
    const totp = TOTP.generate({ secret: Secret.fromBase32(seed), timestamp: now.getTime() })
    expect(seen[1]).toMatchObject({
      url: '/api/v1.0/Session.StartSession',
      headers: { authorization: `KSCMFA totp="${totp}"`, 'x-ksc-session': 'half-open==' },
      body: '{}',
    })
    expect(tokens.accessToken.reveal()).toBe('half-open==')
    expect(seen).toHaveLength(2)
  })

  test('leaves the session as it was named when the second answer is empty', async () => {
    const { url } = await scripted(asksForCode(), says({}))
    const tokens = await logIn(clientOf(url, {}, withSeed))
    expect(tokens.accessToken.reveal()).toBe('half-open==')
  })

  test('is taken by the server', async () => {
    const { ksc, client } = await server({}, { fault: 'second-factor' })
    const tokens = await logIn(client)
    expect(await client.keepAlive?.(tokens, call)).toEqual({})
    expect(ksc.counters()).toMatchObject({ issued: 1, sessionsAlive: 1 })
  })

  test('is not given twice in one half minute: nothing is sent', async () => {
    const { url, seen } = await scripted()
    await expect(
      logIn(clientOf(url, {}, withSeed), { known: { totpStep: '58907520' } }),
    ).rejects.toMatchObject({ code: 'ERR_TRANSPORT', sent: 'no' })
    expect(seen).toEqual([])
  })

  test('has its half minute on record before anything is sent', async () => {
    const { url, seen } = await scripted()
    // 1767225610 s, in steps of 30.
    expect(clientOf(url, {}, withSeed).grants[0]?.announces?.(call)).toEqual({
      totpStep: '58907520',
    })
    expect(clientOf(url, {}).grants[0]?.announces?.(call)).toEqual({})
    expect(seen).toEqual([])
  })

  test.each([
    [
      'refused',
      raw(401, 'no'),
      'ERR_GRANT_REFUSED',
      'compare its clock and the enrolled totpSecret',
    ],
    ['not answered', (response: ServerResponse) => void response.destroy(), 'ERR_TRANSPORT', ''],
    ['answered oddly', says({ PxgRetVal: 7 }), 'ERR_RESPONSE', ''],
    ['met by a busy server', fails('KLSTD', 1195), 'ERR_RESPONSE', 'temporarily unavailable'],
  ])('%s: the half-open session is ended', async (_how, answer, code, message) => {
    const { url, seen } = await scripted(asksForCode(), answer)
    await expect(logIn(clientOf(url, {}, withSeed))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
    expect(seen.at(-1)).toMatchObject({
      url: '/api/v1.0/Session.EndSession',
      headers: { 'x-ksc-session': 'half-open==' },
    })
    expect(seen).toHaveLength(3)
  })

  test('asked for without an enrolled seed is a refusal that says so', async () => {
    const { url, seen } = await scripted(asksForCode())
    await expect(logIn(clientOf(url))).rejects.toMatchObject({
      code: 'ERR_GRANT_REFUSED',
      reason: 'second_factor_required',
      message: expect.stringContaining('enroll its totpSecret'),
    })
    expect(pathsOf(seen)).toEqual(['Session.StartSession', 'Session.EndSession'])
  })

  test('still to be registered is a refusal with a message of its own', async () => {
    const { url, seen } = await scripted(asksForCode('totpreg'))
    await expect(logIn(clientOf(url, {}, withSeed))).rejects.toMatchObject({
      code: 'ERR_GRANT_REFUSED',
      reason: 'totp_registration_required',
      message: expect.stringContaining('must register a second factor first'),
    })
    expect(pathsOf(seen)).toEqual(['Session.StartSession', 'Session.EndSession'])
  })

  test('asked for without naming a session fails', async () => {
    const challenge = { 'www-authenticate': 'KSCMFA type="totp"' }
    const { url, seen } = await scripted(raw(401, '', challenge))
    await expect(logIn(clientOf(url, {}, withSeed))).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
    expect(seen).toHaveLength(1)
  })

  test.each([
    'otpauth://totp/ksc?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
    'gezd gnbv gy3t qojq-gezd gnbv gy3t qojq',
  ])('takes the seed as people have it: %s', async (totpSecret) => {
    const { url, seen } = await scripted(asksForCode(), says({}))
    await logIn(clientOf(url, {}, { ...enrolled, totpSecret }))
    const totp = TOTP.generate({ secret: Secret.fromBase32(seed), timestamp: now.getTime() })
    expect(seen[1]?.headers.authorization).toBe(`KSCMFA totp="${totp}"`)
  })
})

describe('a gateway', () => {
  const longs = '{"A":9007199254740993,"B":1.0,"C":{"type":"long","value":-5000000000000000001}}'

  test('to one hop: its location goes back unharmed and tagged, the key buys the session, the login is ended', async () => {
    const { url, seen } = await scripted(
      says({ PxgRetVal: 'primary' }),
      raw(200, `{"PxgRetVal":${longs}}`),
      says({ wstrAuthKey: 'one-time-key' }),
      says({ PxgRetVal: 'target' }),
    )
    const tokens = await logIn(clientOf(url, { path: [{ secondaryServer: 3 }] }))
    expect(tokens.accessToken.reveal()).toBe('target')
    expect(
      seen
        .slice(1)
        .map(({ url: path, headers, body }) => [
          path?.slice('/api/v1.0/'.length),
          headers['x-ksc-session'] ?? headers.authorization,
          body,
        ]),
    ).toEqual([
      ['CgwHelper.GetSlaveServerLocation', 'primary', '{"nSlaveServerId":3}'],
      [
        'GatewayConnection.PrepareGatewayConnection',
        'primary',
        `{"pLocations":[{"type":"params","value":${longs}}]}`,
      ],
      ['Session.StartSession', 'KSCGW one-time-key', '{}'],
      ['Session.EndSession', 'primary', '{}'],
    ])
  })

  test('to two hops: the second is asked over a session to the first, the key of the primary', async () => {
    const { url, seen } = await scripted(
      says({ PxgRetVal: 'primary' }),
      says({ PxgRetVal: { N: 'outer' } }),
      says({ wstrAuthKey: 'key-1' }),
      says({ PxgRetVal: 'halfway' }),
      says({ PxgRetVal: { N: 'inner' } }),
      says({}),
      says({ wstrAuthKey: 'key-2' }),
      says({ PxgRetVal: 'target' }),
    )
    const path = [{ secondaryServer: 3 }, { agent: 'host-1' }]
    const tokens = await logIn(clientOf(url, { path }))
    expect(tokens.accessToken.reveal()).toBe('target')
    expect(
      seen
        .slice(1)
        .map(({ url: to, headers }) => [
          to?.split('.').at(-1),
          headers['x-ksc-session'] ?? headers.authorization,
        ]),
    ).toEqual([
      ['GetSlaveServerLocation', 'primary'],
      ['PrepareGatewayConnection', 'primary'],
      ['StartSession', 'KSCGW key-1'],
      ['GetNagentLocation', 'halfway'],
      ['EndSession', 'halfway'],
      ['PrepareGatewayConnection', 'primary'],
      ['StartSession', 'KSCGW key-2'],
      ['EndSession', 'primary'],
    ])
    expect(seen[6]?.body).toBe(
      '{"pLocations":[{"type":"params","value":{"N":"outer"}},{"type":"params","value":{"N":"inner"}}]}',
    )
  })

  test('leads through a secondary server to an agent, and leaves one session', async () => {
    const { ksc, credential, hostId } = await server()
    const path = [{ secondaryServer: 3 }, { agent: hostId }]
    const client = clientOf(ksc.url, { path }, credential)
    const tokens = await logIn(client)
    expect(await client.verify?.(tokens, call)).toEqual({})
    expect(ksc.counters()).toMatchObject({ issued: 3, revocations: 2, sessionsAlive: 1 })
  })

  test.each([0, 1])(
    'whose login %i is refused ends every session and is no refusal',
    async (skip) => {
      const { ksc, credential, hostId } = await server()
      const path = [{ secondaryServer: 3 }, { agent: hostId }]
      ksc.inject({ kind: 'refuse', on: 'gateway', skip })
      await expect(logIn(clientOf(ksc.url, { path }, credential))).rejects.toMatchObject({
        code: 'ERR_RESPONSE',
        message: 'the gateway login: the server did not let it happen (status 401)',
      })
      expect(ksc.counters().sessionsAlive).toBe(0)
    },
  )

  test('to a server that is not known names the hop, and ends the login', async () => {
    const { ksc, client } = await server({ path: [{ secondaryServer: 4 }] })
    await expect(logIn(client)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      field: 'path[0]',
      message: expect.stringContaining('found secondaryServer 4, which the server before it'),
    })
    expect(ksc.counters()).toMatchObject({ revocations: 1, sessionsAlive: 0 })
  })

  test('to an agent that is not known behind the first hop names the second', async () => {
    const { ksc, client } = await server({ path: [{ secondaryServer: 3 }, { agent: 'nobody' }] })
    await expect(logIn(client)).rejects.toMatchObject({ code: 'ERR_CONFIG', field: 'path[1]' })
    expect(ksc.counters().sessionsAlive).toBe(0)
  })

  test.each([
    ['a location that is no object', says({ PxgRetVal: 'here' })],
    ['a location that is a number', says({ PxgRetVal: 7 })],
    ['a location that is tagged', says({ PxgRetVal: { type: 'params', value: {} } })],
    ['no location', says({})],
  ])('given %s fails and ends the login', async (_what, answer) => {
    const { url, seen } = await scripted(says({ PxgRetVal: 'primary' }), answer)
    const client = clientOf(url, { path: [{ agent: 'host-1' }] })
    await expect(logIn(client)).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      message: expect.stringContaining('GetNagentLocation did not give what it is for'),
    })
    expect(pathsOf(seen).at(-1)).toBe('Session.EndSession')
  })

  test('given a key that could harm a header fails', async () => {
    const { url } = await scripted(
      says({ PxgRetVal: 'primary' }),
      says({ PxgRetVal: {} }),
      says({ wstrAuthKey: 'a\r\nb' }),
    )
    const client = clientOf(url, { path: [{ agent: 'host-1' }] })
    await expect(logIn(client)).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
  })
})

describe('a session', () => {
  async function held() {
    const made = await server()
    return { ...made, tokens: await logIn(made.client) }
  }

  test('lives on with every ping', async () => {
    const { client, tokens } = await held()
    expect(await client.keepAlive?.(tokens, call)).toEqual({})
  })

  test('that was forgotten is dead, and not verified', async () => {
    const { ksc, client, tokens } = await held()
    ksc.restart()
    expect(await client.keepAlive?.(tokens, call)).toBeUndefined()
    await expect(client.verify?.(tokens, call)).rejects.toMatchObject({
      code: 'ERR_VERIFY_FAILED',
      rejected: true,
    })
  })

  test('whose ping fails with status 200 is dead, unless the server is busy', async () => {
    const { ksc, client, tokens } = await held()
    ksc.inject({ kind: 'denied' })
    expect(await client.keepAlive?.(tokens, call)).toBeUndefined()
    ksc.inject({ kind: 'busy' })
    await expect(client.keepAlive?.(tokens, call)).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
  })

  test.each(['drop-before', 'error-503', 'html', 'empty'])(
    'of which nothing is heard (%s) is not called dead',
    async (kind) => {
      const { ksc, client, tokens } = await held()
      ksc.inject({ kind })
      await expect(client.keepAlive?.(tokens, call)).rejects.toThrow()
      expect(await client.keepAlive?.(tokens, call)).toEqual({})
    },
  )

  test('that was superseded is ended, the held one is not, and a dead one does not stop the rest', async () => {
    const { ksc, client, tokens } = await held()
    const others = [await logIn(client), await logIn(client)]
    await client.revoke?.([others[0] as TokenSet], tokens, call)
    await client.revoke?.([...others, tokens], tokens, call)
    expect(ksc.counters()).toMatchObject({ revocations: 2, sessionsAlive: 1 })
    expect(await client.keepAlive?.(tokens, call)).toEqual({})
  })
})

describe('the certificate', () => {
  const options = (ca: string, pins: readonly string[]): [string, Transport][] => [
    ['two PEM blocks', { ca }],
    ['two pins', { pins: [...pins] }],
  ]

  test('may change to the reserve when both are configured, and its end is told', async () => {
    const ksc = await simulated.start()
    onTestFinished(() => ksc.close())
    const { ca = '', pin = '', reservePin = '' } = ksc
    for (const [, tls] of options(ca, [pin, reservePin])) {
      const tokens = await logIn(clientOf(ksc.url, {}, ksc.credential, tls))
      const verified = await clientOf(ksc.url, {}, ksc.credential, tls).verify?.(tokens, call)
      expect(verified?.certificates).toEqual([
        {
          name: `server certificate of ${new URL(ksc.url).host}`,
          notAfter: new Date(new X509Certificate(ca).validTo),
        },
      ])
    }
    ksc.useReserveCertificate()
    for (const [, tls] of options(ca, [pin, reservePin])) {
      const tokens = await logIn(clientOf(ksc.url, {}, ksc.credential, tls))
      expect(tokens.grant).toBe('start_session')
    }
  })

  test('that is not in the configured set is met before a password is sent', async () => {
    const ksc = await simulated.start()
    onTestFinished(() => ksc.close())
    const [first = ''] = (ksc.ca ?? '').split(/(?<=-----END CERTIFICATE-----\n)/)
    ksc.useReserveCertificate()
    for (const tls of [{ ca: first }, { pins: [ksc.pin ?? ''] }]) {
      const client = clientOf(ksc.url, {}, ksc.credential, tls)
      await expect(logIn(client)).rejects.toMatchObject({ code: 'ERR_TRANSPORT', sent: 'no' })
    }
    expect(ksc.counters().calls).toEqual({})
  })
})

describe('a connection', () => {
  const decode = (options: Record<string, unknown>) =>
    decodeConnections([{ id: 'ksc-hq', vendor: 'kaspersky-security-center', ...options }], vendors)
  const url = 'https://ksc.example.com:13299'

  test.each([
    'https://192.0.2.10:13299',
    'https://ksc.example.com:443/',
    'https://kaspersky.company.example:13299',
    'https://not-kaspersky.com:13299',
    'https://ksc.example.com:18080',
    'http://127.0.0.1:13299',
  ])('takes the address %s', (address) => {
    expect(decode({ url: address })[0]?.options.url).toBe(address)
  })

  test('takes a path of hops', () => {
    const path = [{ secondaryServer: 3 }, { agent: 'host-1' }]
    expect(decode({ url, path, internal: true, virtualServer: 'v' })[0]?.options).toEqual({
      url,
      path,
      internal: true,
      virtualServer: 'v',
    })
  })

  test.each([
    [{}, 'url', 'found nothing'],
    [{ url: 'http://ksc.example.com:13299' }, 'url', 'allowed is an https URL'],
    [{ url: 'https://a:b@ksc.example.com:13299' }, 'url', 'without user name, password'],
    [{ url: `${url}/?a=b` }, 'url', 'query or fragment'],
    [{ url: `${url}/api` }, 'url', 'allowed is an address without a path'],
    [{ url: 'https://ksc.example.com' }, 'url', 'with the port of the Open API'],
    [{ url: 'https://ksc.example.com:8080' }, 'url', '8080 is that of the Web Console'],
    [{ url: 'https://ksc.example.com:8080/' }, 'url', '8080 is that of the Web Console'],
    [{ url: 'https://ksc.kaspersky.com:13299' }, 'url', 'a server of your own'],
    [{ url: 'https://kaspersky.ru:443/' }, 'url', 'a server of your own'],
    [{ url, path: 'a' }, 'path', 'allowed is Array'],
    [{ url, path: [{ server: 3 }] }, 'path.0', 'allowed is {"secondaryServer": <its id>} or'],
    [{ url, path: [{ secondaryServer: '3' }] }, 'path.0', 'allowed is {"secondaryServer"'],
    [{ url, path: [{ agent: 'a\nb' }] }, 'path.0', 'allowed is {"secondaryServer"'],
    [{ url, path: Array(9).fill({ secondaryServer: 3 }) }, 'path', 'allowed are 8 hops at most'],
    [
      { url, path: [{ agent: 'a' }, { secondaryServer: 3 }] },
      'path',
      'allowed is an agent as the last hop only',
    ],
    [{ url, virtualServer: '' }, 'virtualServer', 'allowed is the name of the server'],
    [{ url, domain: 'a"b' }, 'domain', 'allowed are letters, digits'],
    [{ url, internal: 'yes' }, 'internal', 'allowed is boolean'],
    [{ url, password: 'made-up' }, 'password', 'is a credential'],
    [{ url, colour: 'red' }, 'colour', 'is not an option of this vendor'],
  ])('refuses %j by name', (options, field, message) => {
    expect(() => decode(options)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG',
        field: expect.stringContaining(field),
        message: expect.stringContaining(message),
      }),
    )
  })

  test.each([
    [{ password: 'a' }, 'username', 'is not enrolled'],
    [{ username: 'a' }, 'password', 'is not enrolled'],
    [{ ...enrolled, username: 5 }, 'username', 'has the wrong shape; allowed is text'],
    [{ ...enrolled, password: '' }, 'password', 'has the wrong shape; allowed is text'],
    [{ ...enrolled, totpSecret: '0!' }, 'totpSecret', 'allowed is the seed in Base32'],
    [{ ...enrolled, totpSecret: 'otpauth://hotp/a?secret=AA&counter=1' }, 'totpSecret', 'Base32'],
    [{ ...enrolled, totpSecret: 7 }, 'totpSecret', 'allowed is text'],
    [{ ...enrolled, internal: 'yes' }, 'internal', 'allowed is true or false'],
    [{ ...enrolled, domain: 'a"b' }, 'domain', 'allowed are letters, digits'],
    [{ ...enrolled, domain: 'CORP', internal: true }, 'internal', 'allowed is one of the two'],
  ])('refuses the credential %j by name, never by value', (credential, field, message) => {
    const connect = () => clientOf(url, {}, credential)
    expect(connect).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG',
        field,
        message: expect.stringContaining(message),
      }),
    )
  })

  test('refuses a domain that differs from the enrolled one', () => {
    expect(() => clientOf(url, { domain: 'A' }, { ...enrolled, domain: 'B' })).toThrow(
      'domain: differs between configuration and enrollment secret',
    )
  })

  test('has an address, and sessions that idle out after three minutes', () => {
    const connection = { id: 'a', vendor: 'kaspersky-security-center', options: { url } }
    expect(kasperskySecurityCenter.url(connection)).toBe(url)
    expect(kasperskySecurityCenter.idleSeconds).toBe(180)
  })
})
