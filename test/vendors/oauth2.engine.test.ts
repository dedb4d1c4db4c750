import { expect, test } from 'vitest'
import type { Outcome } from '../../lib/core/release.ts'
import { createHttp } from '../../lib/http.ts'
import { oauth2 } from '../../lib/vendors/oauth2.ts'
import { enrolledId, world } from '../core/world.ts'
import { connectionOf, startServer } from './oauth2-setup.ts'

/** The shipped engine on ports in memory, against a real authorization server over real sockets. */
async function engine(options: Record<string, unknown> = {}, variant = 'client_secret_basic') {
  const { server, configured, credential, transport } = await startServer(options, {
    plain: variant !== 'tls_client_auth',
    variant,
  })
  const made = world(oauth2, connectionOf(configured), () => ({
    http: () => createHttp({ ...oauth2.tlsMaterial?.(credential), ...transport }),
    presented: new Map(),
    tip: () => undefined,
    isAlive: () => true,
    logins: () => 0,
    faults: [],
  }))
  // The server keeps real time, and never learns how far this clock is moved.
  made.clock.advance((Date.now() - made.clock.now().getTime()) / 1000)
  const enroll = (fields: object, versionId = enrolledId) => {
    made.enroll({ ...credential, ...fields }, versionId)
  }
  enroll({ refreshToken: server.credential.refreshToken })
  const toDue = () =>
    made.clock.advance((made.item().dueAt.getTime() - made.clock.now().getTime()) / 1000)
  return { ...made, server, credential, enroll, toDue }
}

type Engine = Awaited<ReturnType<typeof engine>>

const heldToken = ({ secrets, enrollment }: Engine) =>
  String(secrets.current(enrollment)?.refreshToken)

/** The judge: nothing presented twice, and the newest pair in somebody's hands. */
function expectSound(run: Engine) {
  expect(run.server.counters().presentedTwice).toBe(0)
  expect(run.server.holds(heldToken(run))).toBe('live')
}

async function outcomes(run: Engine, count: number): Promise<(Outcome | undefined)[]> {
  const all: (Outcome | undefined)[] = []
  for (let turn = 0; turn < count; turn++) {
    all.push(await run.invoke())
    run.toDue()
  }
  return all
}

const alerts = ({ server }: Engine, token: string | undefined) =>
  fetch(`${server.url}/api/alerts`, { headers: { authorization: `Bearer ${token}` } })

test.each([
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'none',
])('a client of %s rotates on and on, each token presented once', async (variant) => {
  const run = await engine({ privateKeyAlgorithm: 'ES256' }, variant)
  const all = await outcomes(run, 5)
  expect(all.map((outcome) => outcome?.outcome)).toEqual(Array(5).fill('rotated'))
  expect(run.server.counters()).toMatchObject({ issued: 5, spends: 5 })
  expectSound(run)
  expect(run.told()).toEqual([])
})

test('consumers get a token that the API takes, and no other secret', async () => {
  const run = await engine()
  await run.invoke()
  expect((await alerts(run, run.published())).status).toBe(200)
  expect(run.secrets.current(run.consumer)).toMatchObject({
    base_url: run.server.url,
    token_type: 'Bearer',
    headers: { Authorization: `Bearer ${run.published()}` },
  })
  expect(JSON.stringify(run.secrets.current(run.consumer))).not.toContain(heldToken(run))
})

test.each([
  ['drop-before', 1],
  ['error-503', 1],
  ['html', 1],
])(
  'a grant under %s was not processed: the server is asked, and the token is sent again',
  async (kind, told) => {
    const run = await engine()
    await outcomes(run, 1)
    run.server.inject({ kind, on: 'grant' })
    expect(await run.invoke()).toMatchObject({ outcome: 'blocked' })
    run.clock.advance(115)
    expect(await run.invoke()).toMatchObject({ outcome: 'rotated' })
    expect(run.server.counters().calls['POST /token/introspection']).toBe(1 + told)
    expectSound(run)
    expect(run.told()).toEqual([])
  },
)

test.each(['consume-then-drop', 'consume-then-500', 'truncated-body', 'empty'])(
  'a grant under %s was processed: the spent token is never sent again, and a person is told once',
  async (kind) => {
    const run = await engine()
    await outcomes(run, 1)
    const before = run.published()
    run.server.inject({ kind, on: 'grant' })
    await run.invoke()
    for (let minute = 0; minute < 4; minute++) {
      run.clock.advance(60)
      await run.invoke()
    }
    expect(run.server.counters().presentedTwice).toBe(0)
    expect(run.told()).toEqual(['enrollment-required'])
    expect(run.published()).toBe(before)
    // Reuse revocation was not woken: what consumers hold lives to its own end.
    expect((await alerts(run, before)).status).toBe(200)

    run.enroll({ refreshToken: await run.server.newRefreshToken() }, enrolledId.replace(/1$/, '2'))
    run.toDue()
    expect(await run.invoke()).toMatchObject({ outcome: 'rotated' })
    expectSound(run)
    expect(run.item().incident).toBeUndefined()
  },
)

test('a server whose "inactive" has never been put to the proof is not believed', async () => {
  const run = await engine()
  run.server.inject({ kind: 'blind-introspection', times: 'always' })
  await outcomes(run, 1)
  run.server.inject({ kind: 'drop-before', on: 'grant' })
  await run.invoke()
  run.clock.advance(115)
  expect(await run.invoke()).toMatchObject({ outcome: 'blocked', cause: 'token-at-risk' })
  run.clock.advance(600)
  expect(await run.invoke()).toMatchObject({ outcome: 'recovered' })
  expectSound(run)
})

test('a server that cannot be asked is probed once, when the published token is nearly out', async () => {
  const run = await engine()
  await outcomes(run, 1)
  run.server.inject({ kind: 'drop-before', on: 'grant' })
  run.server.inject({ kind: 'error-500', on: 'introspect', times: 'always' })
  await run.invoke()
  run.clock.advance(115)
  expect(await run.invoke()).toMatchObject({ outcome: 'blocked', cause: 'token-at-risk' })
  run.clock.advance(600)
  expect(await run.invoke()).toMatchObject({ outcome: 'recovered' })
  expectSound(run)
})

test('discovery that fails leaves nothing in doubt, and nothing was announced', async () => {
  const run = await engine()
  await outcomes(run, 1)
  const { revision } = run.item()
  run.server.inject({ kind: 'drop-before', on: 'discovery' })
  expect(await run.invoke()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_TRANSPORT' } })
  // The lease was taken and given up.
  expect(run.item().revision).toBe(revision + 2)
  expect(run.item().intent).toBeUndefined()
  run.clock.advance(60)
  expect(await run.invoke()).toMatchObject({ outcome: 'rotated' })
  expectSound(run)
})

test('a refused client authentication is told once, tried by the back-off, and spends nothing', async () => {
  const run = await engine()
  run.enroll({ clientSecret: 'another', refreshToken: run.server.credential.refreshToken })
  for (let minute = 0; minute < 60; minute++) {
    await run.invoke()
    run.clock.advance(60)
  }
  // After 0, 1, 3, 7, 15, 30, 45 minutes and, by the jitter, just within the hour.
  expect(run.server.counters().calls['POST /token']).toBeLessThanOrEqual(8)
  expect(run.told().filter((cause) => cause === 'configuration')).toHaveLength(1)
  expect(run.item().intent).toBeUndefined()
  run.enroll({ refreshToken: run.server.credential.refreshToken }, enrolledId.replace(/1$/, '2'))
  run.toDue()
  expect(await run.invoke()).toMatchObject({ outcome: 'rotated' })
  expectSound(run)
})

test('client credentials are renewed at will: the enrollment secret is never written', async () => {
  const run = await engine({ grant: 'client_credentials', scope: 'api:read' })
  const all = await outcomes(run, 3)
  expect(all.map((outcome) => outcome?.outcome)).toEqual(Array(3).fill('rotated'))
  expect(run.secrets.versions(run.enrollment)).toHaveLength(1)
  expect(run.secrets.versions(run.consumer)).toHaveLength(3)
  expect((await alerts(run, run.published())).status).toBe(200)
})

test('superseded client credentials are revoked after every cache, when asked for', async () => {
  const run = await engine({ grant: 'client_credentials', revokeSuperseded: true })
  await outcomes(run, 1)
  const former = run.published()
  await run.invoke()
  expect((await alerts(run, former)).status).toBe(200)
  run.clock.advance(301)
  expect(await run.invoke()).toMatchObject({ outcome: 'retired' })
  expect((await alerts(run, former)).status).toBe(401)
  expect((await alerts(run, run.published())).status).toBe(200)
})

test('a server that keeps refresh tokens is sent the same one again and again', async () => {
  const run = await engine()
  run.server.inject({ kind: 'keep-refresh-token', times: 'always' })
  const all = await outcomes(run, 4)
  expect(all.map((outcome) => outcome?.outcome)).toEqual(Array(4).fill('rotated'))
  expect(heldToken(run)).toBe(run.server.credential.refreshToken)
  expect(run.item().spent).toEqual([])
  expectSound(run)
})

test('where refresh tokens are not rotated, a lost answer is simply asked for again', async () => {
  const run = await engine({ rotatesRefreshToken: false })
  run.server.inject({ kind: 'keep-refresh-token', times: 'always' })
  run.server.inject({ kind: 'consume-then-drop', on: 'grant' })
  expect(await run.invoke()).toMatchObject({ outcome: 'failed' })
  run.clock.advance(60)
  expect(await run.invoke()).toMatchObject({ outcome: 'rotated' })
  expect(run.told()).toEqual([])
  expectSound(run)
})

test('revoking a superseded token at a server that ends the grant with it is told in the same run', async () => {
  const run = await engine({ revokeSuperseded: true })
  await outcomes(run, 1)
  await run.invoke()
  expect((await alerts(run, run.published())).status).toBe(200)
  run.clock.advance(301)
  expect(await run.invoke()).toMatchObject({ outcome: 'blocked', cause: 'enrollment-required' })
  expect(run.told()).toEqual(['enrollment-required'])
  expect(run.server.holds(heldToken(run))).toBe('revoked')
})

test('no outcome, event or ledger item holds a token or a secret', async () => {
  const run = await engine()
  const all = await outcomes(run, 2)
  for (const kind of ['drop-before', 'header-injection', 'consume-then-500']) {
    run.server.inject({ kind, on: 'grant' })
    all.push(...(await outcomes(run, 3)))
  }
  run.enroll({ clientSecret: 'a-wrong-secret', refreshToken: await run.server.newRefreshToken() })
  all.push(...(await outcomes(run, 1)))
  const said = JSON.stringify([all, run.events.emitted, run.item()])
  for (const secret of secretsOf(run)) expect(said).not.toContain(secret)
})

function secretsOf({ server, secrets, enrollment, consumer }: Engine): string[] {
  const documents = [...secrets.texts(enrollment), ...secrets.texts(consumer)]
  const found = documents.flatMap((text) =>
    Object.entries(JSON.parse(text)).flatMap(([name, value]) =>
      /token$|secret$/i.test(name) && typeof value === 'string' ? [value] : [],
    ),
  )
  expect(found.length).toBeGreaterThan(8)
  return [...found, 'a-wrong-secret', String(server.credential.clientSecret)]
}
