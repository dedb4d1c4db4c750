import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createHttp, transport } from '../../lib/http.ts'
import {
  type KicsSimulator,
  kicsForNetworks as kind,
} from '../../lib/local/simulators/kics-for-networks.ts'
import { kicsForNetworks } from '../../lib/vendors/kics-for-networks.ts'
import { start, world } from '../core/world.ts'
import { connectionOf, stored } from './kics-for-networks.setup.ts'

let kics: KicsSimulator
let credential: Record<string, unknown>
let clock = () => start

beforeAll(async () => {
  kics = await kind.start({ now: () => clock() })
  credential = stored(kics.credential)
})
afterEach(() => kics.clearFaults())
afterAll(() => kics.close())

/** The shipped engine with its ports in memory, and the vendor behind a real socket. */
function plant(origin = kics.url) {
  const before = kics.counters()
  const connection = connectionOf(origin)
  const made = world(kicsForNetworks, connection, (now) => {
    clock = now
    const http = () =>
      createHttp(transport(connection.tls, kicsForNetworks.tlsMaterial?.(credential)))
    return {
      http,
      presented: new Map<string, number>(),
      tip: () => undefined,
      isAlive: () => true,
      logins: () => 0,
      faults: [],
    }
  })
  made.enroll(credential)
  return {
    ...made,
    /** What the vendor counted since. */
    counted(name: 'issued' | 'spends' | 'presentedTwice' | 'refusals') {
      return kics.counters()[name] - before[name]
    },
    held: () => made.secrets.current(made.enrollment)?.refreshToken,
    hours: (count: number) => made.clock.advance(count * 3600),
  }
}

test('the certificate begins, the refresh token goes on, and consumers get a bearer and no more', async () => {
  const made = plant()
  expect(await made.invoke()).toMatchObject({ outcome: 'rotated' })
  const first = made.published()
  expect(made.secrets.current(made.consumer)).toEqual({
    schema: 1,
    connection: 'ot-plant',
    vendor: 'kics-for-networks',
    base_url: kics.url,
    token_type: 'Bearer',
    access_token: first,
    headers: { Authorization: `Bearer ${first}` },
    issued_at: '2026-01-01T00:00:00.000Z',
    expires_at: '2026-01-01T10:00:00.000Z',
  })
  made.hours(8)
  expect(await made.invoke()).toMatchObject({ outcome: 'rotated' })
  expect(made.published()).not.toBe(first)
  expect(made.counted('issued')).toBe(2)
  expect(made.counted('spends')).toBe(1)
  expect(kics.holds(String(made.held()))).toBe('live')
  expect(made.told()).toEqual([])
})

test.each([
  { kind: 'consume-then-drop', on: 'refresh' },
  { kind: 'drop-before', on: 'refresh' },
  { kind: 'error-503', on: 'refresh' },
  { kind: 'expires-huge', on: 'refresh' },
  { kind: 'line-break', on: 'refresh' },
  { kind: 'refuse', on: 'refresh' },
])(
  'a refresh that is refused or unclear ($kind) is made good by the certificate in the same run',
  async (fault) => {
    const made = plant()
    await made.invoke()
    made.hours(8)
    kics.inject(fault)
    expect(await made.invoke()).toMatchObject({ outcome: 'rotated' })
    expect(made.secrets.current(made.enrollment)?.grant).toBe('certificate')
    expect(made.counted('presentedTwice')).toBe(0)
    expect(kics.holds(String(made.held()))).toBe('live')
    // And from then on the refresh token again.
    made.hours(8)
    await made.invoke()
    expect(made.secrets.current(made.enrollment)?.grant).toBe('refresh_token')
    expect(made.counted('presentedTwice')).toBe(0)
    expect(made.told()).toEqual([])
  },
)

test('without refresh tokens the certificate is used every time', async () => {
  const made = plant()
  kics.inject({ kind: 'no-refresh-token', times: 'always' })
  await made.invoke()
  made.hours(8)
  expect(await made.invoke()).toMatchObject({ outcome: 'rotated' })
  expect(made.held()).toBeUndefined()
  expect(made.counted('issued')).toBe(2)
})

test('a certificate that TLS refuses is told once, with the steps, and not shown again until it changes', async () => {
  const made = plant()
  await made.invoke()
  const served = made.published()
  const renewed = stored(await kics.newPackage())
  kics.inject({ kind: 'certificate-alert', times: 'always' })
  made.hours(8)
  expect(await made.invoke()).toMatchObject({ outcome: 'blocked', cause: 'enrollment-required' })
  expect(made.published()).toBe(served)
  // Now it would be counted, as a call that is answered 401.
  kics.clearFaults()
  const grants = () => kics.counters().calls['POST auth/token']
  const before = grants()
  await made.minutes(30)
  expect(grants()).toBe(before)
  expect(made.told()).toEqual(['enrollment-required'])
  const told = made.events.emitted.find(({ type }) => type === 'Enrollment Required')
  expect(told?.detail.steps?.at(-1)).toBe('run: token-rotator enroll ot-plant')

  credential = renewed
  made.enroll(renewed, '00000000-0000-4000-8000-000000000009')
  const outcomes = await made.minutes(16)
  expect(outcomes.map(({ outcome }) => outcome)).toContain('rotated')
  expect(made.told().at(-1)).toBe('Token Recovered')
})

test('a blocked user is told at once, by the status', async () => {
  const made = plant()
  await made.invoke()
  made.hours(8)
  kics.inject({ kind: 'blocked-user', times: 'always' })
  const outcome = await made.invoke()
  expect(outcome).toMatchObject({ outcome: 'blocked', cause: 'enrollment-required' })
  expect(outcome?.error?.message).toContain('(access_denied, status 403)')
})

test('a server out of reach is tried again, and nobody is asked to enroll', async () => {
  const made = plant('https://127.0.0.1:1')
  expect(await made.invoke()).toMatchObject({
    outcome: 'failed',
    error: { code: 'ERR_TRANSPORT' },
  })
  expect(made.told()).toEqual([])
})
