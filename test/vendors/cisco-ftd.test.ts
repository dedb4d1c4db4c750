import { UnsecuredJWT } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import { mayHaveSpent } from '../../lib/core/errors.ts'
import type { Outcome } from '../../lib/core/release.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import type { Ports } from '../../lib/core/run.ts'
import { tick } from '../../lib/core/tick.ts'
import type { TokenSet } from '../../lib/core/vendor.ts'
import { createHttp } from '../../lib/http.ts'
import { type FtdSimulator, ciscoFtd as simulated } from '../../lib/local/simulators/cisco-ftd.ts'
import { ciscoFtd } from '../../lib/vendors/cisco-ftd.ts'
import {
  manualClock,
  memoryEvents,
  memoryLedger,
  memoryParameters,
  memorySecrets,
} from '../core/memory.ts'
import {
  bench,
  connectionOf,
  grantOf,
  recorder,
  thrownBy,
  type VendorBench,
  type VendorCase,
  vendorContract,
} from './contract.ts'

const login = ({ credential }: FtdSimulator) => ({
  username: credential.username,
  password: credential.password,
})
const customToken = {
  desiredExpiresIn: 7200,
  desiredRefreshExpiresIn: 86_400,
  desiredRefreshCount: 3,
  desiredSubject: 'siem-feed',
}

const logIn = ({ grant, call }: VendorBench<FtdSimulator>): Promise<TokenSet> =>
  grant('password').request({}, call())

const pair = (access_token: string, refresh_token: string) => ({
  access_token,
  expires_in: 1800,
  token_type: 'Bearer',
  refresh_token,
  refresh_expires_in: 2400,
})
const line = 'POST /api/fdm/latest/fdm/token'

const ftd: VendorCase<FtdSimulator> = {
  vendor: ciscoFtd,
  start: simulated.start,
  options: ({ url }) => ({ url, customToken }),
  credential: login,
  consume: ({ url }) => ({ method: 'GET', url: `${url}/api/fdm/latest/object/networks?limit=1` }),
  grants: [
    {
      name: 'password',
      spends: 'nothing',
      on: 'password',
      prepare: async () => ({}),
      sent: (simulator) => ({ line, body: { grant_type: 'password', ...login(simulator) } }),
      answer: pair,
      departs: { 'version-401': { code: 'ERR_CONFIG', spent: false } },
    },
    {
      name: 'refresh_token',
      spends: 'refresh-token',
      on: 'refresh',
      prepare: logIn,
      sent: (_simulator, { refreshToken }) => ({
        line,
        body: { grant_type: 'refresh_token', refresh_token: refreshToken?.reveal() },
      }),
      answer: pair,
      departs: { 'version-401': { code: 'ERR_CONFIG', spent: false } },
    },
    {
      name: 'custom_token',
      spends: 'nothing',
      on: 'custom',
      prepare: logIn,
      sent: (_simulator, { accessToken }) => ({
        line,
        body: {
          grant_type: 'custom_token',
          access_token: accessToken?.reveal(),
          desired_expires_in: 7200,
          desired_refresh_expires_in: 86_400,
          desired_subject: 'siem-feed',
          desired_refresh_count: 3,
        },
      }),
      answer: pair,
      departs: {
        'version-401': { code: 'ERR_CONFIG', spent: false },
        'external-user': { code: 'ERR_GRANT_REFUSED', spent: true },
      },
    },
  ],
  verify: {
    on: 'verify',
    sent: (_simulator, accessToken) => ({
      line: 'GET /api/fdm/latest/operational/systeminfo/default',
      body: undefined,
      authorization: `Bearer ${accessToken}`,
    }),
  },
  misshapen: [
    { credential: { username: 7 }, field: 'username' },
    { credential: { username: 'api', password: { value: 'made-up-1' } }, field: 'password' },
  ],
}

vendorContract(ftd)

const started = (options: Record<string, unknown> = {}, more = {}) =>
  bench({ ...ftd, options: ({ url }) => ({ url }) }, { options, ...more })

/** A grant at a device that answers like this. */
async function grantAt(name: string, status: number, answer: unknown, now = new Date()) {
  const server = await recorder(status, answer)
  const connection = connectionOf(ciscoFtd, { url: server.url })
  const credential = { username: 'api', password: 'made-up-password' }
  const client = ciscoFtd.connect(connection, credential, createHttp())
  return grantOf(client, name).request({}, { now, timeoutSeconds: 10, known: {} })
}

describe('a custom token', () => {
  /** What the device is asked for, with these options. */
  async function wish(wanted: Record<string, number | string>) {
    const server = await recorder(200, pair('a', 'r'))
    const connection = connectionOf(ciscoFtd, { url: server.url, customToken: wanted })
    const client = ciscoFtd.connect(connection, {}, createHttp())
    const now = new Date('2026-01-01T00:00:00Z')
    const call = { now, timeoutSeconds: 10, known: {} }
    await grantOf(client, 'custom_token').request({}, call)
    return server.seen[0]?.body
  }

  test('is asked for with an hour, a day, 9000 refreshes and a subject of its own by default', async () => {
    expect(await wish({})).toEqual({
      grant_type: 'custom_token',
      desired_expires_in: 3600,
      desired_refresh_expires_in: 86_400,
      desired_subject: 'token-rotator-under-test-t85s00',
      desired_refresh_count: 9000,
    })
  })

  test.each([
    [{ desiredExpiresIn: 900 }, { desired_expires_in: 900 }],
    [
      { desiredExpiresIn: 31_536_000, desiredRefreshExpiresIn: 34_128_000 },
      { desired_expires_in: 31_536_000, desired_refresh_expires_in: 34_128_000 },
    ],
    [{ desiredRefreshCount: 0 }, { desired_refresh_count: 0 }],
    [{ desiredSubject: 'a.b-c_1' }, { desired_subject: 'a.b-c_1' }],
  ])('is asked for as configured: %j', async (wanted, sent) => {
    expect(await wish(wanted)).toMatchObject(sent)
  })

  test.each([
    [{ desiredExpiresIn: 899 }, 'customToken.desiredExpiresIn'],
    [{ desiredExpiresIn: 31_536_001 }, 'customToken.desiredExpiresIn'],
    [{ desiredRefreshExpiresIn: 34_128_001 }, 'customToken.desiredRefreshExpiresIn'],
    [{ desiredRefreshCount: -1 }, 'customToken.desiredRefreshCount'],
    [{ desiredRefreshCount: 10_001 }, 'customToken.desiredRefreshCount'],
    [{ desiredSubject: 'two words' }, 'customToken.desiredSubject'],
    [{ desiredExpiresIn: 3600, desiredRefreshExpiresIn: 3600 }, 'customToken'],
    [{ desired_expires_in: 3600 }, 'customToken.desired_expires_in'],
  ])('is refused in the configuration: %j', async (wanted, field) => {
    const options = { url: 'https://192.0.2.10', customToken: wanted }
    const call = Promise.resolve().then(() => connectionOf(ciscoFtd, options))
    expect(await thrownBy(call, [])).toMatchObject({ field: `connections[0].${field}` })
  })

  test('is asked for with a young login, or one that is due, and with nothing else', async () => {
    const now = new Date()
    const at = await started({ customToken }, { now: () => now })
    const held = await at.grant('password').request({}, at.call({ now }))
    const custom = at.grant('custom_token')
    expect(held.renewAt).toEqual(now)
    const usableAfter = (seconds: number) =>
      custom.usable(held, new Date(now.getTime() + seconds * 1000))
    expect([0, 599, 600, 1079].map(usableAfter)).toEqual([true, true, false, false])
    expect([1080, 1259, 1260, 1800].map(usableAfter)).toEqual([true, true, false, false])
    const longLived = await custom.request(held, at.call({ now }))
    expect(longLived.renewAt).toBeUndefined()
    expect(custom.usable(longLived, now)).toBe(false)
    expect(custom.usable({}, now)).toBe(false)
  })

  test('counts its refreshes down, and is not refreshed below none', async () => {
    const at = await started({ customToken: { ...customToken, desiredRefreshCount: 2 } })
    let held = await at.grant('custom_token').request(await logIn(at), at.call())
    const left = [held.refreshesLeft]
    while (at.grant('refresh_token').usable(held, new Date())) {
      held = await at.grant('refresh_token').request(held, at.call())
      left.push(held.refreshesLeft)
    }
    expect(left).toEqual([2, 1, 0])
    expect(at.simulator.counters()).toMatchObject({ spends: 2, refusals: 0 })
  })

  test('whose last refresh comes without a refresh token is taken as it is', async () => {
    const at = await started({ customToken: { ...customToken, desiredRefreshCount: 1 } })
    at.simulator.inject({ kind: 'exhausted-without-refresh' })
    const custom = await at.grant('custom_token').request(await logIn(at), at.call())
    const last = await at.grant('refresh_token').request(custom, at.call())
    expect(last).not.toHaveProperty('refreshToken')
    expect(at.grant('refresh_token').usable(last, new Date())).toBe(false)
    await at.client.verify?.(last, at.call())
  })

  test('without refreshes has no refresh token', async () => {
    const at = await started({ customToken: { ...customToken, desiredRefreshCount: 0 } })
    const custom = await at.grant('custom_token').request(await logIn(at), at.call())
    expect(custom).not.toHaveProperty('refreshToken')
    expect(custom.facts).toMatchObject({ origin: 'custom', subject: 'siem-feed' })
  })

  test('is not among the grants unless it is configured', async () => {
    const { client } = await started()
    expect(client.grants.map(({ name }) => name)).toEqual(['refresh_token', 'password'])
  })
})

describe('a login', () => {
  test('may be refreshed without end: -1 is no count', async () => {
    const at = await started()
    let held = await logIn(at)
    for (let n = 0; n < 3; n++) {
      expect(held).not.toHaveProperty('refreshesLeft')
      expect(at.grant('refresh_token').usable(held, new Date())).toBe(true)
      held = await at.grant('refresh_token').request(held, at.call())
    }
    expect(at.simulator.counters()).toMatchObject({ sessionsAlive: 1, passwordGrants: 1 })
  })

  test('lives for 30 minutes, and its refresh token for 40', async () => {
    const now = new Date('2026-01-01T00:00:00Z')
    const at = await started({}, { now: () => now })
    const held = await at.grant('password').request({}, at.call({ now }))
    expect(held.expiresAt?.toISOString()).toBe('2026-01-01T00:30:00.000Z')
    expect(held.refreshExpiresAt?.toISOString()).toBe('2026-01-01T00:40:00.000Z')
  })

  test('without a refresh token serves while it lives', async () => {
    const at = await started()
    at.simulator.inject({ kind: 'no-refresh-token' })
    const held = await logIn(at)
    expect(held).not.toHaveProperty('refreshToken')
    expect(at.grant('refresh_token').usable(held, new Date())).toBe(false)
    await at.client.verify?.(held, at.call())
  })

  test.each([
    [{ username: 'api' }, false],
    [{ password: 'made-up-1' }, false],
    [{ username: 'api', password: 'made-up-1' }, true],
  ])('is usable with %j: %s', (credential, usable) => {
    const connection = connectionOf(ciscoFtd, { url: 'https://192.0.2.10' })
    const client = ciscoFtd.connect(connection, credential, createHttp())
    expect(grantOf(client, 'password').usable({}, new Date())).toBe(usable)
  })

  test('with a wrong password is refused, once', async () => {
    const wrong = { ...ftd, credential: () => ({ username: 'admin', password: 'wrong-password' }) }
    const at = await bench(wrong)
    const error = await thrownBy(logIn(at), ['wrong-password'])
    expect(error).toMatchObject({ code: 'ERR_GRANT_REFUSED', reason: 'invalid_grant', status: 400 })
    expect(at.simulator.counters().calls).toEqual({ 'POST fdm/token password': 1 })
  })
})

describe('an answer', () => {
  const now = new Date('2026-01-01T00:00:00Z')
  const jwt = (seconds: number) => {
    const iat = now.getTime() / 1000 - 600
    return new UnsecuredJWT({ iat, exp: iat + seconds }).encode()
  }

  test.each([
    ['seconds that it tells', pair('a', 'r'), ['00:30:00', '00:40:00']],
    [
      'the tokens’ own claims, if it tells none',
      { access_token: jwt(1200), refresh_token: jwt(2000) },
      ['00:20:00', '00:33:20'],
    ],
    [
      'the tokens’ own claims, if it tells nonsense',
      { ...pair(jwt(1200), jwt(2000)), expires_in: -5, refresh_expires_in: '2400' },
      ['00:20:00', '00:33:20'],
    ],
    [
      'the documented lifetimes, if nothing tells',
      { access_token: 'a', refresh_token: 'r' },
      ['00:30:00', '00:40:00'],
    ],
  ])('dates its tokens by %s', async (_by, answer, [access, refresh]) => {
    const tokens = await grantAt('refresh_token', 200, answer, now)
    expect(tokens.expiresAt?.toISOString()).toBe(`2026-01-01T${access}.000Z`)
    expect(tokens.refreshExpiresAt?.toISOString()).toBe(`2026-01-01T${refresh}.000Z`)
  })

  test('with a null refresh token has none', async () => {
    const tokens = await grantAt('password', 200, { access_token: 'a', refresh_token: null })
    expect(tokens).not.toHaveProperty('refreshToken')
  })

  test.each(['password', 'refresh_token'])(
    '401 to %s means the version in the path: the operator is told, nothing is spent',
    async (name) => {
      const status = { message: 'Unauthorized', status_code: 401 }
      const error = await thrownBy(grantAt(name, 401, status), [])
      expect(error).toMatchObject({ code: 'ERR_CONFIG', field: 'apiVersion' })
      expect(error.message).toContain('GET /api/versions')
      expect(mayHaveSpent(error)).toBe(false)
    },
  )

  test('of a device that does not know the configured version is that', async () => {
    const at = await started({ apiVersion: 'v9' })
    expect(await thrownBy(logIn(at), [])).toMatchObject({ field: 'apiVersion' })
  })

  test('404 means another kind of device, and nothing is spent', async () => {
    const error = await thrownBy(grantAt('refresh_token', 404, { code: 404 }), [])
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', status: 404, spent: 'no' })
    expect(error.message).toContain('managed by FMC')
  })

  test.each([
    [400, 'invalid_grant'],
    [422, 'invalid_request'],
  ])('%i is a refusal', async (status, reason) => {
    const error = await thrownBy(grantAt('refresh_token', status, {}), [])
    expect(error).toMatchObject({ code: 'ERR_GRANT_REFUSED', reason, status })
  })

  test.each([403, 408, 429, 500, 503])('%i may have taken effect', async (status) => {
    const error = await thrownBy(grantAt('refresh_token', status, {}), [])
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', status, spent: 'maybe' })
  })
})

describe('a refresh token', () => {
  test('from before a reboot is refused, and the login that follows is not', async () => {
    const at = await started()
    const held = await logIn(at)
    at.simulator.inject({ kind: 'rebooted', on: 'refresh' })
    const request = at.grant('refresh_token').request(held, at.call())
    expect(await thrownBy(request, [])).toMatchObject({ code: 'ERR_GRANT_REFUSED' })
    await at.client.verify?.(await logIn(at), at.call())
  })

  test('is not sent once it has run out', async () => {
    const at = await started()
    const held = await logIn(at)
    const { usable } = at.grant('refresh_token')
    const end = held.refreshExpiresAt ?? new Date(0)
    expect(usable(held, new Date(end.getTime() - 1))).toBe(true)
    expect(usable(held, end)).toBe(false)
  })
})

describe('verifying', () => {
  test('tells the unit’s serial number, and warns when it is another than before', async () => {
    const at = await started()
    const first = await at.client.verify?.(await logIn(at), at.call())
    expect(first?.facts?.serialNumber).toMatch(/^9A[0-9A-F]{8}$/)
    expect(first).not.toHaveProperty('warning')
    at.simulator.inject({ kind: 'failover', on: 'password' })
    const tokens = await logIn(at)
    const second = await at.client.verify?.(tokens, at.call({ known: first?.facts ?? {} }))
    expect(second?.warning).toContain(
      `${second?.facts?.serialNumber} answers where ${first?.facts?.serialNumber} did`,
    )
    expect(second?.facts?.serialNumber).not.toBe(first?.facts?.serialNumber)
  })

  test('rejects the token of a unit that is not among the configured ones', async () => {
    const at = await started({ serialNumbers: ['9ANOTTHISONE'] })
    const verified = at.client.verify?.(await logIn(at), at.call()) ?? Promise.resolve()
    const error = await thrownBy(verified, [])
    expect(error).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected: true })
    expect(error.message).toContain('9ANOTTHISONE')
  })

  test('rejects a token with 408, as older builds say it', async () => {
    const at = await started()
    const tokens = await logIn(at)
    at.simulator.inject({ kind: 'rebooted', on: 'verify' })
    at.simulator.inject({ kind: 'expired-408' })
    const verified = at.client.verify?.(tokens, at.call()) ?? Promise.resolve()
    const error = await thrownBy(verified, [tokens.accessToken.reveal()])
    expect(error).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected: true })
    expect(error.message).toContain('408')
  })

  test('takes 403 as a role that may not look, with a warning', async () => {
    const server = await recorder(403, {})
    const connection = connectionOf(ciscoFtd, { url: server.url })
    const client = ciscoFtd.connect(connection, {}, createHttp())
    const at = await started()
    const verified = await client.verify?.(await logIn(at), at.call())
    expect(verified?.warning).toContain('may not read')
  })
})

describe('revoking', () => {
  test('ends the superseded sessions and no administrator’s', async () => {
    const at = await started({ customToken })
    const admins = [at.simulator.addAdminSession(), at.simulator.addAdminSession()]
    const first = await logIn(at)
    const custom = await at.grant('custom_token').request(first, at.call())
    await at.client.revoke?.([first], custom, at.call())
    expect(admins.map(({ alive }) => alive)).toEqual([true, true])
    expect(at.simulator.counters()).toMatchObject({ revocations: 1, sessionsAlive: 3 })
    await at.client.verify?.(custom, at.call())
    const dead = at.client.verify?.(first, at.call()) ?? Promise.resolve()
    expect(await thrownBy(dead, [])).toMatchObject({ rejected: true })
  })

  test('ends several, the login that may do so last', async () => {
    const at = await started({ customToken })
    const first = await logIn(at)
    const old = await at.grant('custom_token').request(first, at.call())
    const second = await at.grant('custom_token').request(first, at.call())
    await at.client.revoke?.([first, old], second, at.call())
    expect(at.simulator.counters()).toMatchObject({ revocations: 2, sessionsAlive: 1 })
    await at.client.verify?.(second, at.call())
  })

  test('is not tried with a custom token alone: the device takes logins only', async () => {
    const at = await started({ customToken })
    const first = await logIn(at)
    const old = await at.grant('custom_token').request(first, at.call())
    const held = await at.grant('custom_token').request(first, at.call())
    await at.client.revoke?.([old], held, at.call())
    expect(at.simulator.counters()).toMatchObject({ revocations: 0, sessionsAlive: 3 })
  })

  test('leaves alone a session that lives on under the held token', async () => {
    const at = await started()
    const first = await logIn(at)
    const refreshed = await at.grant('refresh_token').request(first, at.call())
    await at.client.revoke?.([first], refreshed, at.call())
    expect(at.simulator.counters()).toMatchObject({ revocations: 0, sessionsAlive: 1 })
  })

  test('names both tokens in the body and authenticates in no other way', async () => {
    const server = await recorder(200, { message: 'OK', status_code: 200 })
    const connection = connectionOf(ciscoFtd, { url: server.url })
    const client = ciscoFtd.connect(connection, {}, createHttp())
    const at = await started()
    const [first, second] = [await logIn(at), await logIn(at)]
    await client.revoke?.([first], second, at.call())
    expect(server.seen).toMatchObject([
      {
        line: 'POST /api/fdm/latest/fdm/token',
        body: {
          grant_type: 'revoke_token',
          access_token: second.accessToken.reveal(),
          token_to_revoke: first.accessToken.reveal(),
        },
        authorization: undefined,
      },
    ])
  })
})

/** The engine on this device, with every store in memory and a clock that the test moves. */
async function run(options: Record<string, unknown> = {}) {
  const clock = manualClock(new Date('2026-01-01T00:00:00Z'))
  const simulator = await simulated.start({ now: clock.now })
  onTestFinished(() => simulator.close())
  const { url, ca } = simulator
  const connection = connectionOf(ciscoFtd, { url, ...options })
  const enrollment = enrollmentSecretId(connection.id)
  const consumer = consumerSecretId(connection.id)
  const secrets = memorySecrets([enrollment, consumer])
  const events = memoryEvents()
  const ports: Ports = {
    secrets,
    ledger: memoryLedger(),
    parameters: memoryParameters(),
    events,
    clock,
    timings: defaultTimings,
    connect: (_connection, vendor, { credential }) =>
      vendor.connect(connection, credential, createHttp(ca === undefined ? {} : { ca })),
  }
  secrets.edit(enrollment, '00000000-0000-4000-8000-000000000001', JSON.stringify(login(simulator)))
  let runs = 0
  return {
    simulator,
    events,
    held: () => secrets.current(enrollment),
    /** Ticks once a minute. @returns the outcomes */
    async minutes(count: number) {
      const outcomes: Outcome[] = []
      for (let minute = 0; minute < count; minute++) {
        const end = clock.now().getTime() + 300_000
        const remainingSeconds = () => (end - clock.now().getTime()) / 1000
        const newRunId = () => `run-${++runs}`
        const only = { vendor: ciscoFtd, connections: [connection], remainingSeconds, newRunId }
        outcomes.push(...(await tick(only, ports)))
        clock.advance(60)
      }
      return outcomes
    },
    /** How long the published token still lives. */
    secondsLeft: () =>
      (new Date(String(secrets.current(consumer)?.expires_at)).getTime() - clock.now().getTime()) /
      1000,
    /** What a consumer finds: whether the device takes the published headers. */
    async isServed() {
      const http = createHttp(ca === undefined ? {} : { ca })
      const headers = secrets.current(consumer)?.headers as Record<string, string>
      const call = { name: 'consumer', ...ftd.consume(simulator), headers, timeoutSeconds: 10 }
      const { status } = await http.request(call)
      await http.close()
      return status === 200
    },
  }
}

describe('a device with three administrators at work', () => {
  test('loses none of their sessions to a connection that begins with a custom token', async () => {
    const device = await run({ customToken: {} })
    const admins = [1, 2, 3].map(() => device.simulator.addAdminSession())
    await device.minutes(20)
    expect(device.held()).toMatchObject({ grant: 'custom_token' })
    expect(admins.map(({ alive }) => alive)).toEqual([true, true, true])
    expect(device.simulator.counters()).toMatchObject({ evictions: 0, sessionsAlive: 4 })
  })

  test.each([
    ['was refused', { desiredRefreshCount: 9000 }, 'refuse'],
    ['had been refreshed for the last time', { desiredRefreshCount: 1 }, undefined],
  ])('nor to one that begins anew because its chain %s', async (_why, custom, fault) => {
    const device = await run({ customToken: { desiredExpiresIn: 3600, ...custom } })
    const admins = [1, 2, 3].map(() => device.simulator.addAdminSession())
    await device.minutes(30)
    if (fault !== undefined) device.simulator.inject({ kind: fault, on: 'refresh' })
    for (let minute = 0; minute < 150; minute++) {
      await device.minutes(1)
      expect(await device.isServed()).toBe(true)
    }
    expect(device.simulator.counters()).toMatchObject({ evictions: 0, presentedTwice: 0 })
    expect(device.simulator.counters().passwordGrants).toBeGreaterThan(1)
    expect(admins.map(({ alive }) => alive)).toEqual([true, true, true])
    expect(device.held()).toMatchObject({
      grant: expect.stringMatching(/custom_token|refresh_token/),
    })
  })
})

test('a user who may have no custom token is served by logins that are refreshed, and asked for once', async () => {
  const device = await run({ customToken: {} })
  device.simulator.inject({ kind: 'external-user', times: 'always' })
  await device.minutes(90)
  expect(await device.isServed()).toBe(true)
  const { calls } = device.simulator.counters()
  expect(calls['POST fdm/token custom_token']).toBe(1)
  expect(calls['POST fdm/token password']).toBeLessThanOrEqual(2)
  expect(device.simulator.counters()).toMatchObject({ evictions: 0, presentedTwice: 0 })
})

test('a device that gives no custom token for an hour serves by logins, and gives one in the next', async () => {
  const device = await run({ customToken: {} })
  device.simulator.inject({ kind: 'error-503', on: 'custom', times: 'always' })
  for (let minute = 0; minute < 60; minute++) {
    await device.minutes(1)
    expect(await device.isServed()).toBe(true)
    expect(device.secondsLeft()).toBeGreaterThan(300)
  }
  expect(device.held()?.facts).toMatchObject({ origin: 'password' })
  device.simulator.clearFaults()
  await device.minutes(60)
  expect(await device.isServed()).toBe(true)
  expect(device.held()?.facts).toMatchObject({ origin: 'custom' })
  expect(device.simulator.counters()).toMatchObject({ passwordGrants: 1, evictions: 0 })
})

test('a fail-over is told as a warning, and the other unit’s token is published', async () => {
  const device = await run()
  await device.minutes(5)
  device.simulator.inject({ kind: 'failover', on: 'token' })
  const outcomes = await device.minutes(30)
  expect(outcomes.map(({ warning }) => warning).join()).toContain('fail-over or replacement')
  expect(await device.isServed()).toBe(true)
})
