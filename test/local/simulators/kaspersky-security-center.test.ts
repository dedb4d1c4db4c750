import { X509Certificate } from 'node:crypto'
import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'
import { parse, stringify } from 'lossless-json'
import { Secret, TOTP } from 'otpauth'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type KscSimulator,
  kasperskySecurityCenter,
} from '../../../lib/local/simulators/kaspersky-security-center.ts'
import type { SimulatorOptions } from '../../../lib/local/simulators/simulator.ts'

const START = new Date('2026-01-01T00:00:00Z')

async function startKsc(options: SimulatorOptions = {}) {
  const clock = { now: START }
  const ksc = await kasperskySecurityCenter.start({
    plain: true,
    now: () => clock.now,
    ...options,
  })
  onTestFinished(() => ksc.close())
  const advance = (seconds: number) => {
    clock.now = new Date(clock.now.getTime() + seconds * 1000)
  }
  return { ksc, clock, advance }
}

type Headers = Record<string, string>

const base64 = (plain: string) => Buffer.from(plain).toString('base64')

function post(ksc: KscSimulator, method: string, headers: Headers = {}, body?: string) {
  return fetch(`${ksc.url}/api/v1.0/${method}`, {
    method: 'POST',
    headers: { 'accept-encoding': 'identity', ...headers },
    ...(body === undefined ? {} : { body }),
  })
}

function basic(ksc: KscSimulator, password = String(ksc.credential.password)): Headers {
  const user = base64(String(ksc.credential.username))
  return { authorization: `KSCBasic user="${user}", pass="${base64(password)}", internal="1"` }
}

const member = async (response: Response, name: string) =>
  ((await response.json()) as Record<string, unknown>)[name]

async function sessionOf(ksc: KscSimulator, headers = basic(ksc)): Promise<Headers> {
  const response = await post(ksc, 'Session.StartSession', headers, '{}')
  expect(response.status).toBe(200)
  return { 'x-ksc-session': String(await member(response, 'PxgRetVal')) }
}

const statusOf = async (ksc: KscSimulator, headers: Headers) =>
  (await post(ksc, 'Session.Ping', headers)).status

function codeOf(ksc: KscSimulator, at: Date): string {
  const secret = Secret.fromBase32(String(ksc.credential.totpSecret))
  return TOTP.generate({ secret, timestamp: at.getTime() })
}

/** A location as text, so that its 64-bit integer stays what it is. */
async function location(ksc: KscSimulator, from: Headers, method: string, args: object) {
  const answer = await post(ksc, `CgwHelper.${method}`, from, JSON.stringify(args))
  const { PxgRetVal } = parse(await answer.text()) as { PxgRetVal: unknown }
  return PxgRetVal
}

const toSecondary = (ksc: KscSimulator, from: Headers) =>
  location(ksc, from, 'GetSlaveServerLocation', { nSlaveServerId: ksc.credential.slaveServerId })
const toAgent = (ksc: KscSimulator, from: Headers) =>
  location(ksc, from, 'GetNagentLocation', { wsHostName: ksc.credential.hostId })

async function prepare(ksc: KscSimulator, from: Headers, ...locations: unknown[]) {
  const pLocations = locations.map((value) => ({ type: 'params', value }))
  return post(
    ksc,
    'GatewayConnection.PrepareGatewayConnection',
    from,
    stringify({ pLocations }) ?? '',
  )
}

async function gateway(ksc: KscSimulator, from: Headers, ...locations: unknown[]) {
  const key = await member(await prepare(ksc, from, ...locations), 'wstrAuthKey')
  return { authorization: `KSCGW ${key}` }
}

describe('a session', () => {
  test.each([undefined, '', '{}'])('is begun with the body %j', async (body) => {
    const { ksc } = await startKsc()
    const response = await post(ksc, 'Session.StartSession', basic(ksc), body)
    expect(await response.json()).toEqual({ PxgRetVal: expect.stringMatching(/^[\w-]+==$/) })
  })

  test('is known on every connection and idles out three minutes after its last call', async () => {
    const { ksc, advance } = await startKsc()
    const session = await sessionOf(ksc)
    advance(179)
    const ping = await post(ksc, 'Session.Ping', { ...session, connection: 'close' }, '{}')
    expect([ping.status, await ping.json()]).toEqual([200, {}])
    advance(179)
    expect(await statusOf(ksc, session)).toBe(200)
    advance(180)
    expect(await statusOf(ksc, session)).toBe(403)
    expect(ksc.counters()).toMatchObject({ sessionsAlive: 0, authorized: 2, unauthorized: 1 })
  })

  test('is ended once', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    const ends = [await post(ksc, 'Session.EndSession', session, '{}')]
    ends.push(await post(ksc, 'Session.EndSession', session, '{}'))
    expect(ends.map(({ status }) => status)).toEqual([200, 403])
    expect(await ends[0]?.json()).toEqual({})
    expect(await statusOf(ksc, session)).toBe(403)
  })

  test('is forgotten by a restart, as are keys', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    const key = await gateway(ksc, session, await toAgent(ksc, session))
    ksc.restart()
    expect(await statusOf(ksc, session)).toBe(403)
    expect((await post(ksc, 'Session.StartSession', key)).status).toBe(401)
  })

  test('speed shortens every lifetime alike', async () => {
    const { ksc, advance } = await startKsc({ speed: 60 })
    const session = await sessionOf(ksc)
    const key = await gateway(ksc, session, await toAgent(ksc, session))
    advance(1)
    expect((await post(ksc, 'Session.StartSession', key)).status).toBe(401)
    advance(1)
    expect(await statusOf(ksc, session)).toBe(200)
    advance(3)
    expect(await statusOf(ksc, session)).toBe(403)
  })
})

describe('a login of a connection', () => {
  /** Posts over one kept connection, as the vendor's client does, whatever time passes between. */
  async function connection() {
    const { ksc, advance } = await startKsc({ plain: false })
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: ksc.ca })
    onTestFinished(() => agent.destroy())
    const call = (method: string, headers: Headers = {}, body = '') =>
      new Promise<{ status: number | undefined; body: string; reused: boolean }>(
        (resolve, reject) => {
          const sent = request(
            `${ksc.url}/api/v1.0/${method}`,
            { method: 'POST', agent, headers: { ...headers, 'content-length': body.length } },
            (response) => {
              text(response).then(
                (read) =>
                  resolve({ status: response.statusCode, body: read, reused: sent.reusedSocket }),
                reject,
              )
            },
          )
          sent.on('error', reject).end(body)
        },
      )
    return { ksc, call, advance }
  }

  test('takes a zero-length body and an empty virtual server, answers {}, and needs nothing more on that connection', async () => {
    const { ksc, call, advance } = await connection()
    const user = base64(String(ksc.credential.username))
    const pass = base64(String(ksc.credential.password))
    const authorization = `KSCBasic user="${user}", pass="${pass}", domain="", internal="0"`
    const login = await call('login', { authorization, 'X-KSC-VServer': '' })
    expect(login).toMatchObject({ status: 200, body: '{}' })
    advance(3600)
    expect(await call('Session.Ping', {}, '{}')).toEqual({ status: 200, body: '{}', reused: true })
  })

  test('is worth nothing on another connection', async () => {
    const { ksc } = await startKsc()
    const headers = { ...basic(ksc), connection: 'close' }
    expect((await post(ksc, 'login', headers)).status).toBe(200)
    expect(await statusOf(ksc, {})).toBe(401)
  })

  test('takes what a Go client writes', async () => {
    const { ksc } = await startKsc()
    const { username, password } = ksc.credential
    const authorization = `KSCBasic user="${base64(String(username))}", pass="${base64(String(password))}", internal=true`
    const login = await post(ksc, 'login', { authorization, 'X-KSC-VServer': 'x' }, '{}')
    expect(login.status).toBe(200)
  })

  test('with a second factor goes on over the same connection', async () => {
    const { ksc, call } = await connection()
    ksc.inject({ kind: 'second-factor' })
    expect(await call('login', basic(ksc))).toMatchObject({
      status: 401,
      body: 'Authentication not finished',
    })
    expect(await call('Session.Ping')).toMatchObject({ status: 401 })
    const authorization = `KSCMFA totp="${codeOf(ksc, START)}"`
    expect(await call('login', { authorization })).toMatchObject({ status: 200, body: '{}' })
    expect(await call('Session.Ping')).toMatchObject({ status: 200 })
  })
})

describe('a refused login', () => {
  test('is plain text', async () => {
    const { ksc } = await startKsc()
    const response = await post(ksc, 'Session.StartSession', basic(ksc, 'wrong'))
    expect([response.status, await response.text()]).toEqual([401, 'Authentication failure'])
    expect(response.headers.get('content-type')).toBe('text/plain')
    expect(response.headers.get('www-authenticate')).toBeNull()
    ksc.inject({ kind: 'refuse-403' })
    expect((await post(ksc, 'login', basic(ksc, 'wrong'))).status).toBe(403)
    expect(ksc.counters()).toMatchObject({ refusals: 2, passwordGrants: 0, issued: 0 })
  })

  test('ten times locks the account for an hour, for the right password too', async () => {
    const { ksc, advance } = await startKsc()
    for (let attempt = 0; attempt < 9; attempt++) await post(ksc, 'login', basic(ksc, 'wrong'))
    await sessionOf(ksc)
    for (let attempt = 0; attempt < 10; attempt++) await post(ksc, 'login', basic(ksc, 'wrong'))
    advance(3599)
    expect((await post(ksc, 'Session.StartSession', basic(ksc))).status).toBe(401)
    advance(1)
    await sessionOf(ksc)
  })

  test('is lifted early by a new password only', async () => {
    const { ksc } = await startKsc()
    for (let attempt = 0; attempt < 10; attempt++) await post(ksc, 'login', basic(ksc, 'wrong'))
    const old = basic(ksc)
    const changed = await fetch(`${ksc.url}/_sim/password`, { method: 'POST' })
    const { password } = (await changed.json()) as { password: string }
    expect((await post(ksc, 'Session.StartSession', old)).status).toBe(401)
    await sessionOf(ksc, basic(ksc, password))
  })

  test.each(['NTLM TlRMTVNTUAAB', 'KSCWT e30=', 'Bearer x', ''])(
    'is also that by %j',
    async (authorization) => {
      const { ksc } = await startKsc()
      const response = await post(ksc, 'login', authorization === '' ? {} : { authorization })
      expect(response.status).toBe(401)
    },
  )
})

describe('a second factor', () => {
  async function halfOpen(fault = 'second-factor') {
    const made = await startKsc({ fault })
    const response = await post(made.ksc, 'Session.StartSession', basic(made.ksc), '{}')
    const session = { 'x-ksc-session': response.headers.get('x-ksc-session') ?? '' }
    const give = (code: string) =>
      post(made.ksc, 'Session.StartSession', {
        ...session,
        authorization: `KSCMFA totp="${code}"`,
      })
    return { ...made, response, session, give }
  }

  test('is asked for with 401, a session that exists already, and plain text', async () => {
    const { ksc, response, session } = await halfOpen()
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('KSCMFA type="totp", lengthHint="6"')
    expect(await response.text()).toBe('Authentication not finished')
    expect(await statusOf(ksc, session)).toBe(403)
    expect(ksc.counters().sessionsAlive).toBe(1)
  })

  test('opens that session with the right code; a wrong one may be followed by the right one', async () => {
    const { ksc, session, give } = await halfOpen()
    const wrong = codeOf(ksc, START) === '000000' ? '000001' : '000000'
    const refused = await give(wrong)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'KSCMFA type="totp", lengthHint="6"',
    ])
    const opened = await give(codeOf(ksc, START))
    expect(await opened.json()).toEqual({ PxgRetVal: session['x-ksc-session'] })
    expect(await statusOf(ksc, session)).toBe(200)
  })

  test('takes a code once', async () => {
    const { ksc, give } = await halfOpen()
    expect((await give(codeOf(ksc, START))).status).toBe(200)
    const again = await post(ksc, 'Session.StartSession', basic(ksc), '{}')
    const other = { 'x-ksc-session': again.headers.get('x-ksc-session') ?? '' }
    const authorization = `KSCMFA totp="${codeOf(ksc, START)}"`
    expect((await post(ksc, 'Session.StartSession', { ...other, authorization })).status).toBe(401)
  })

  test('that was never given leaves a session which EndSession removes', async () => {
    const { ksc, session } = await halfOpen()
    expect((await post(ksc, 'Session.EndSession', session, '{}')).status).toBe(200)
    expect(ksc.counters().sessionsAlive).toBe(0)
  })

  test('that is still to be registered says so and takes no code', async () => {
    const { ksc, response, give } = await halfOpen('totp-registration')
    expect(response.headers.get('www-authenticate')).toMatch(/type="totpreg"/)
    expect((await give(codeOf(ksc, START))).status).toBe(401)
  })
})

describe('a one-time secret', () => {
  test('token logs in once, within three minutes, also after its session has ended', async () => {
    const { ksc, advance } = await startKsc()
    const session = await sessionOf(ksc)
    const tokenOf = async () => {
      const made = await post(ksc, 'Session.CreateToken', session, '{}')
      return { authorization: `KSCT ${await member(made, 'PxgRetVal')}` }
    }
    const [first, second] = [await tokenOf(), await tokenOf()]
    await post(ksc, 'Session.EndSession', session)
    expect((await post(ksc, 'login', first)).status).toBe(200)
    expect((await post(ksc, 'login', first)).status).toBe(401)
    advance(180)
    expect((await post(ksc, 'login', second)).status).toBe(401)
  })

  test('key logs in once, within a minute, and is no token', async () => {
    const { ksc, advance } = await startKsc()
    const session = await sessionOf(ksc)
    const where = await toSecondary(ksc, session)
    const [first, second, third] = await Promise.all(
      [1, 2, 3].map(() => gateway(ksc, session, where)),
    )
    expect(await statusOf(ksc, await sessionOf(ksc, first))).toBe(200)
    expect((await post(ksc, 'Session.StartSession', first)).status).toBe(401)
    const asToken = { authorization: String(third?.authorization).replace('KSCGW', 'KSCT') }
    expect((await post(ksc, 'Session.StartSession', asToken)).status).toBe(401)
    advance(60)
    expect((await post(ksc, 'Session.StartSession', second)).status).toBe(401)
  })
})

describe('a gateway', () => {
  test('leads over a secondary server to an agent, by keys of the primary', async () => {
    const { ksc } = await startKsc()
    const primary = await sessionOf(ksc)
    const outer = await toSecondary(ksc, primary)
    const secondary = await sessionOf(ksc, await gateway(ksc, primary, outer))
    const inner = await toAgent(ksc, secondary)
    const agent = await sessionOf(ksc, await gateway(ksc, primary, outer, inner))
    await post(ksc, 'Session.EndSession', primary)
    expect(await statusOf(ksc, agent)).toBe(200)
    const key = await prepare(ksc, secondary, inner)
    expect(await key.json()).toMatchObject({ PxgError: { module: 'KLSTD', code: 1193 } })
  })

  test('takes locations as the vendor sends them back: nested objects tagged, members in any order', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    const found = (await toSecondary(ksc, session)) as Record<string, unknown>
    const reversed = Object.fromEntries(Object.entries(found).toReversed())
    expect(await gateway(ksc, session, reversed)).toEqual({
      authorization: expect.stringMatching(/^KSCGW [\w-]{20,}$/),
    })
  })

  test.each([
    ['rounded', (text: string) => JSON.stringify(JSON.parse(text))],
    ['shortened', (text: string) => text.replace('"gw-2"', '"gw-1"')],
  ])('does not take a location that was %s on the way', async (_how, harm) => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    const whole = stringify(await toSecondary(ksc, session)) ?? ''
    const answer = await prepare(ksc, session, parse(harm(whole)))
    expect(await answer.json()).toMatchObject({ PxgError: { module: 'KLSTD', code: 1186 } })
  })

  test('does not take hops in another order, untagged ones, or none', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    const outer = await toSecondary(ksc, session)
    const secondary = await sessionOf(ksc, await gateway(ksc, session, outer))
    const inner = await toAgent(ksc, secondary)
    const bare = stringify({ pLocations: [outer] }) ?? ''
    for (const answer of [
      await prepare(ksc, session, inner, outer),
      await prepare(ksc, session),
      await post(ksc, 'GatewayConnection.PrepareGatewayConnection', session, bare),
    ]) {
      expect(await answer.json()).toMatchObject({ PxgError: { code: 1186 } })
    }
  })

  test('to whom nobody knows is PxgError with status 200', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    for (const [method, args] of [
      ['GetSlaveServerLocation', { nSlaveServerId: 4 }],
      ['GetNagentLocation', { wsHostName: 'nobody' }],
    ] as const) {
      const answer = await post(ksc, `CgwHelper.${method}`, session, JSON.stringify(args))
      expect(answer.status).toBe(200)
      expect(await answer.json()).toEqual({
        PxgError: expect.objectContaining({
          code: 1186,
          module: 'KLSTD',
          message: 'Object not found',
        }),
      })
    }
  })
})

describe('the Open API', () => {
  test('lists the secondary server as the samples of the vendor look for it', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    const root = await post(ksc, 'HostGroup.GroupIdGroups', session, '{}')
    expect(await root.json()).toEqual({ PxgRetVal: 1 })
    const children = await post(ksc, 'ServerHierarchy.GetChildServers', session, '{"nGroupId":1}')
    expect(await children.json()).toEqual({
      PxgRetVal: [{ type: 'params', value: { KLSRVH_SRV_ID: 3, KLSRVH_SRV_DN: 'branch' } }],
    })
    expect(ksc.credential.slaveServerId).toBe(3)
  })

  test('takes an instance before the class, and names in their own case only', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    expect((await post(ksc, 'Instance.Session.Ping', session)).status).toBe(200)
    expect((await post(ksc, 'session.ping', session)).status).toBe(404)
    expect((await post(ksc, 'toString', session)).status).toBe(404)
  })

  test('takes chunked requests, and calls what is no object bad data', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    const chunks = new Blob(['{"nGroup', 'Id":1}']).stream()
    const init = { method: 'POST', headers: session, body: chunks, duplex: 'half' } as const
    expect((await fetch(`${ksc.url}/api/v1.0/ServerHierarchy.GetChildServers`, init)).status).toBe(
      200,
    )
    for (const body of ['[]', '{', '5']) {
      const answer = await post(ksc, 'Session.Ping', session, body)
      expect(await answer.json()).toMatchObject({ PxgError: { module: 'KLSTD', code: 1192 } })
    }
  })

  test('compresses for those who ask, and answers in chunks on demand', async () => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    const zipped = await post(ksc, 'HostGroup.GroupIdGroups', {
      ...session,
      'accept-encoding': 'gzip, deflate',
    })
    expect(zipped.headers.get('content-encoding')).toBe('gzip')
    expect(await zipped.json()).toEqual({ PxgRetVal: 1 })
    ksc.inject({ kind: 'chunked' })
    const chunked = await post(ksc, 'HostGroup.GroupIdGroups', session)
    expect(chunked.headers.get('content-length')).toBeNull()
    expect(await chunked.json()).toEqual({ PxgRetVal: 1 })
  })

  test.each([
    ['busy', 1195],
    ['denied', 1184],
  ])('under the fault %s fails with status 200', async (kind, code) => {
    const { ksc } = await startKsc()
    const session = await sessionOf(ksc)
    ksc.inject({ kind })
    const answer = await post(ksc, 'Session.Ping', session)
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { PxgError: expect.objectContaining({ module: 'KLSTD', code }) },
    ])
  })

  test('forgets every session in mid-course under the fault restarted, once', async () => {
    const { ksc } = await startKsc({ fault: 'restarted' })
    expect(await statusOf(ksc, await sessionOf(ksc))).toBe(403)
    expect(await statusOf(ksc, await sessionOf(ksc))).toBe(200)
  })

  test('knows nobody who shows neither a session nor a login, and takes POST only', async () => {
    const { ksc } = await startKsc()
    expect(await statusOf(ksc, {})).toBe(401)
    expect(await statusOf(ksc, { 'x-ksc-session': 'made-up' })).toBe(403)
    expect((await fetch(`${ksc.url}/api/v1.0/Session.Ping`)).status).toBe(405)
  })
})

test('shows a self-signed certificate, and its reserve on demand', async () => {
  const { ksc } = await startKsc({ plain: false })
  const [first = '', second = ''] = (ksc.ca ?? '').split(/(?<=-----END CERTIFICATE-----\n)/)
  const [current, reserve] = [first, second].map((pem) => new X509Certificate(pem))
  expect(current?.verify(current.publicKey)).toBe(true)
  expect([current?.ca, reserve?.ca]).toEqual([true, true])
  expect(current?.subjectAltName).toBe('IP Address:127.0.0.1, DNS:localhost')
  const ping = (ca: string) =>
    new Promise((resolve, reject) => {
      request(
        `${ksc.url}/api/v1.0/Session.Ping`,
        { method: 'POST', ca, agent: false },
        (response) => resolve(response.resume().statusCode),
      )
        .on('error', reject)
        .end()
    })
  expect(await ping(first)).toBe(401)
  const swapped = ping(first).then(() => fetchControl(ksc, first))
  expect(await swapped).toEqual({ pin: ksc.reservePin })
  await expect(ping(first)).rejects.toThrow('self-signed certificate')
  expect(await ping(second)).toBe(401)
})

function fetchControl(ksc: KscSimulator, ca: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request(
      `${ksc.url}/_sim/reserve-certificate`,
      { method: 'POST', ca, agent: false },
      (response) => void text(response).then((body) => resolve(JSON.parse(body)), reject),
    )
      .on('error', reject)
      .end()
  })
}
