import { describe, expect, onTestFinished, test } from 'vitest'
import { enrollmentSecretId } from '../../lib/core/documents.ts'
import type { Ports } from '../../lib/core/run.ts'
import { createHttp } from '../../lib/http.ts'
import type { VersionLimits } from '../../lib/local/aws/secret-versions.ts'
import {
  type IncydrSimulator,
  code42Incydr as simulated,
} from '../../lib/local/simulators/code42-incydr.ts'
import { code42Incydr } from '../../lib/vendors/code42-incydr.ts'
import { faults, faulty } from '../core/crash.ts'
import type { FakeVendor } from '../core/fake-vendors.ts'
import { withQuota } from '../core/quota.ts'
import { world } from '../core/world.ts'

/** The shipped engine and vendor, the simulator over its socket, and every store in memory. */
async function incydrWorld(
  options: (url: string) => Record<string, unknown>,
  fields: readonly string[],
) {
  const open: { incydr?: IncydrSimulator } = {}
  const http = createHttp()
  onTestFinished(async () => {
    await http.close()
    await open.incydr?.close()
  })
  const fake: FakeVendor = {
    http: () => ({ ...http, close: async () => {} }),
    presented: new Map(),
    tip: () => undefined,
    isAlive: () => true,
    logins: () => 0,
    faults: [],
  }
  // The address is known only once the simulator, which shares the world's clock, has begun.
  const settings: Record<string, unknown> = {}
  const connection = { id: 'incydr-1', vendor: 'code42-incydr', options: settings }
  const made = world(code42Incydr, connection, () => fake)
  const incydr = await simulated.start({ plain: true, now: made.clock.now })
  open.incydr = incydr
  Object.assign(settings, { flow: 'api-client', url: incydr.url, ...options(incydr.url) })
  made.enroll(Object.fromEntries(fields.map((name) => [name, incydr.credential[name]])))
  const get = (token: unknown) =>
    http.request({
      name: 'reader',
      method: 'GET',
      url: `${incydr.url}/v1/users`,
      headers: { authorization: `Bearer ${token}` },
      timeoutSeconds: 5,
    })
  return { ...made, incydr, serves: async (token: unknown) => (await get(token)).status === 200 }
}

const asClient = () => incydrWorld(() => ({}), ['clientId', 'clientSecret'])
const asUser = () =>
  incydrWorld(
    (url) => ({ flow: 'user-token', consoleUrl: url }),
    ['username', 'password', 'totpSecret'],
  )
const asPair = () =>
  incydrWorld(
    (url) => ({ flow: 'refresh-pair', refreshUrl: `${url}/v1/refresh-token` }),
    ['refreshToken'],
  )

describe('an API client over a day', () => {
  /**
   * A tick a minute for 24 hours; every five minutes a reader uses what the secret says, and another
   * what the mirror says, if there is one, and else the secret.
   */
  async function day(quota: VersionLimits['quota']) {
    const made = await asClient()
    const { secrets, consumer, parameters, clock, invoke, ports, serves, incydr } = made
    const store = withQuota(secrets, consumer, quota, clock.now)
    const through: Ports = { ...ports, secrets: store }
    const dead = { secret: [] as number[], mirror: [] as number[] }
    for (let minute = 0; minute < 24 * 60; minute++) {
      await invoke(through)
      if (minute % 5 === 4) {
        const mirror = parameters.values.get(`/${consumer}`)
        const fallback = mirror === undefined ? undefined : JSON.parse(mirror).access_token
        const current = secrets.current(consumer)?.access_token
        if (!(await serves(current))) dead.secret.push(minute)
        if (!(await serves(fallback ?? current))) dead.mirror.push(minute)
      }
      clock.advance(60)
    }
    return { ...made, store, dead, minted: incydr.counters().issued }
  }

  test('is served from the secret alone if old versions are purged for new ones', async () => {
    const { dead, minted, store, told, parameters } = await day('purging')
    expect(minted).toBe(144)
    expect(store.refused()).toBe(0)
    expect(store.versions()).toBe(100)
    expect(dead.secret).toEqual([])
    expect(parameters.values.size).toBe(0)
    expect(told()).toEqual([])
  })

  test('is served from the secret for 16 h 40 min if young versions are kept, then from the mirror, and a person is told once', async () => {
    const { dead, minted, store, told, item } = await day('enforced')
    // Not one mint more than if nothing had been refused.
    expect(minted).toBe(144)
    expect(store.refused()).toBe(44)
    // The hundredth version is written at minute 990 and its token dies at minute 1005.
    expect(dead.secret[0]).toBe(1009)
    expect(dead.secret).toHaveLength((1440 - 1005) / 5)
    expect(dead.mirror).toEqual([])
    expect(told()).toEqual(['version-budget'])
    expect(item().published?.where).toBe('mirror')
  })

  test('writes nothing to the enrollment secret', async () => {
    const { secrets, minutes, connection } = await asClient()
    await minutes(60)
    expect(secrets.versions(enrollmentSecretId(connection.id))).toHaveLength(1)
  })
})

test('a secret that was reset in the console is presented once more, and a person is told what to do', async () => {
  const { incydr, minutes, events, item, enroll, told } = await asClient()
  await minutes(5)
  const clientSecret = incydr.resetSecret()
  const { issued } = incydr.counters()
  await minutes(12 * 60)
  expect(incydr.counters()).toMatchObject({ issued, refusals: 1 })
  const required = events.emitted.filter(({ type }) => type === 'Enrollment Required')
  expect(required).toHaveLength(1)
  expect(required[0]?.detail.message).toContain('if the secret was reset in the console')
  expect(required[0]?.detail.steps?.at(-1)).toBe('run: token-rotator enroll incydr-1')
  enroll({ clientId: incydr.credential.clientId, clientSecret }, 'version-of-an-operator')
  await minutes(20)
  expect(item().incident).toBeUndefined()
  expect(told().at(-1)).toBe('Token Recovered')
})

describe('a user token', () => {
  test('is renewed over a day, each time with a code of its own', async () => {
    const { incydr, minutes, told } = await asUser()
    await minutes(24 * 60)
    expect(incydr.counters()).toMatchObject({ passwordGrants: 72, refusals: 0 })
    expect(told()).toEqual([])
  })

  test('whose login was lost on the way waits for the next code, also when somebody asks at once', async () => {
    const { incydr, invoke, clock, ledger, item, published } = await asUser()
    incydr.inject({ kind: 'consume-then-drop' })
    expect(await invoke()).toMatchObject({ outcome: 'failed' })
    // `rotate now`, in the same half minute.
    await ledger.write({
      ...item(),
      revision: item().revision + 1,
      requested: true,
      dueAt: clock.now(),
    })
    clock.advance(10)
    expect((await invoke())?.message).toContain('the one-time code of these 30 s has been sent')
    expect(incydr.counters()).toMatchObject({ passwordGrants: 1, refusals: 0 })
    clock.advance(120)
    expect(await invoke()).toMatchObject({ outcome: 'rotated' })
    expect(published()).toBeDefined()
  })
})

describe('a refresh pair', () => {
  test('is renewed over a day, each token spent once and none lost', async () => {
    const { incydr, minutes, secrets, enrollment, published, serves } = await asPair()
    await minutes(24 * 60)
    expect(incydr.counters()).toMatchObject({ spends: 72, presentedTwice: 0, refusals: 0 })
    const held = secrets.current(enrollment)?.refreshToken
    expect(incydr.holds(String(held))).toBe('live')
    expect(await serves(published())).toBe(true)
  })

  test('whose answer was lost pages at once, serves on, and sends the token one more time only', async () => {
    const { incydr, minutes, told } = await asPair()
    await minutes(5)
    incydr.inject({ kind: 'consume-then-drop' })
    await minutes(120)
    expect(incydr.counters()).toMatchObject({ spends: 3, presentedTwice: 1 })
    expect(told().slice(0, 1)).toEqual(['token-at-risk'])
    expect(told()).toContain('enrollment-required')
  })
})

describe.each([
  { flow: 'api-client', make: asClient },
  { flow: 'user-token', make: asUser },
  { flow: 'refresh-pair', make: asPair },
])('a first renewal that is interrupted ($flow)', ({ flow, make }) => {
  /** A world whose published token is due, and what a run crosses there when nothing goes wrong. */
  async function due() {
    const made = await make()
    await made.invoke()
    while (made.clock.now() < made.item().dueAt) made.clock.advance(1)
    return made
  }

  test('at any boundary, in any way: readers are served, no code or token is sent twice, nothing is told twice', async () => {
    const recorded = await due()
    const { ports, crossed } = faulty(recorded.ports, -1, 'die before')
    await recorded.invoke(ports)
    expect(crossed.length).toBeGreaterThan(8)

    for (const [at, name] of crossed.entries()) {
      for (const fault of faults) {
        const where = `${fault} at ${at}, ${name}`
        const made = await due()
        const { incydr, clock, secrets, enrollment, parameters, told } = made
        const through = faulty(made.ports, at, fault)
        await Promise.race([made.invoke(through.ports), through.died])
        // The simulator's word on whether somebody still holds what it would take.
        const stored = [...secrets.texts(enrollment), ...parameters.values.values()]
        const tokens = stored.flatMap((text) => text.match(/[0-9a-f]{64}/g) ?? [])
        const isLost =
          flow === 'refresh-pair' && !tokens.some((one) => incydr.holds(one) === 'live')

        for (let minute = 0; minute < 60; minute++) {
          clock.advance(60)
          await made.invoke()
        }
        expect(new Set(told()).size, where).toBe(told().length)
        expect(incydr.counters().presentedTwice, where).toBe(isLost ? 1 : 0)
        if (isLost) expect(told(), where).toContain('enrollment-required')
        else {
          expect(incydr.counters().refusals, where).toBe(0)
          expect(await made.serves(made.published()), where).toBe(true)
          expect(made.item().incident, where).toBeUndefined()
        }
        await incydr.close()
      }
    }
  })
})
