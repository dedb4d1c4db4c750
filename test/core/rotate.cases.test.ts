import { describe, expect, test } from 'vitest'
import { encodeEnrollment } from '../../lib/core/documents.ts'
import {
  ConfigError,
  LeaseHeldError,
  ResponseError,
  StoreError,
  VerifyFailedError,
} from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { rotate } from '../../lib/core/rotate.ts'
import type { Ports } from '../../lib/core/run.ts'
import { successorId } from '../../lib/core/version-id.ts'
import { enrolledId, kscWorld, mdrWorld } from './world.ts'

type World = ReturnType<typeof mdrWorld>

const run = (world: World, ports: Ports = world.ports) =>
  rotate(
    {
      connection: world.connection,
      vendor: world.vendor,
      runId: 'run-1',
      remainingSeconds: () => 300,
    },
    ports,
  )
const connecting = (world: World, connect: Ports['connect']): Ports => ({ ...world.ports, connect })
const storing = (world: World, secrets: Partial<Ports['secrets']>): Ports => ({
  ...world.ports,
  secrets: { ...world.secrets, ...secrets },
})
const throttled = () => Promise.reject(new StoreError('it was throttled', 'retry'))

describe('the outcome of a run', () => {
  test('is the rotation, due again by what was issued', async () => {
    const outcome = await run(mdrWorld())
    expect(outcome).toEqual({
      connection: 'mdr-prod',
      outcome: 'rotated',
      expiring: [],
      dueAt: expect.any(Date),
    })
  })

  test('is a failure if the ledger cannot be read', async () => {
    const world = mdrWorld()
    const ports = { ...world.ports, ledger: { ...world.ledger, read: throttled } }
    expect(await run(world, ports)).toEqual({
      connection: 'mdr-prod',
      outcome: 'failed',
      error: { code: 'ERR_STORE', message: 'it was throttled' },
      message: 'it was throttled',
    })
  })

  test('is a failure, shown by its class, if the error is of unknown origin', async () => {
    const world = mdrWorld()
    const ports = connecting(world, () => {
      throw new RangeError('https://example.com/?token=secret')
    })
    expect(await run(world, ports)).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_UNEXPECTED', message: 'unexpected RangeError' },
    })
    expect(world.item().lease).toBeUndefined()
  })

  test('is for a person to mend if what is enrolled has the wrong shape', async () => {
    const world = mdrWorld()
    const ports = connecting(world, () => {
      throw new ConfigError('clientId', 'is missing')
    })
    expect(await run(world, ports)).toMatchObject({
      outcome: 'blocked',
      cause: 'configuration',
      message: 'clientId: is missing',
    })
    expect(world.told()).toEqual(['configuration'])
  })

  test('is that of another run as soon as the lease is lost, wherever it is noticed', async () => {
    const world = mdrWorld()
    const ports = connecting(world, () => {
      throw new LeaseHeldError('taken')
    })
    expect(await run(world, ports)).toEqual({ connection: 'mdr-prod', outcome: 'lease-held' })
    expect(world.item().history).toEqual([])
  })

  test('says how to enroll where nobody has', async () => {
    const world = mdrWorld()
    world.secrets.clear(world.enrollment)
    expect(await run(world)).toMatchObject({
      outcome: 'unenrolled',
      message:
        'the secret token-rotator/mdr-prod/enrollment has no value; run: token-rotator enroll mdr-prod',
    })
  })

  test('is a failure if the store never stands still, after eight looks', async () => {
    const world = mdrWorld()
    let looks = 0
    const ports = storing(world, {
      promote: async () => 'superseded',
      read: async (...args) => {
        if (args[0] === world.enrollment && args[1] === undefined) looks++
        return world.secrets.read(...args)
      },
    })
    expect(await run(world, ports)).toMatchObject({
      outcome: 'failed',
      message: 'the store kept changing under this run',
    })
    expect(looks).toBe(8)
  })

  test('tells what the vendor said beside what is to be done', async () => {
    const world = mdrWorld()
    world.fake.faults.push('refuse')
    const outcome = await run(world)
    expect(outcome).toMatchObject({ outcome: 'blocked', cause: 'enrollment-required' })
    expect(outcome.message).toMatch(/^the vendor refused the refresh token: .*status 400/)
    expect(outcome).not.toHaveProperty('dueAt', undefined)
  })
})

describe('the sockets of a run', () => {
  test('are freed, each once, however it ends', async () => {
    for (const fault of [undefined, 'refuse', 'unreachable'] as const) {
      const world = mdrWorld()
      if (fault !== undefined) world.fake.faults.push(fault)
      const closed: number[] = []
      let opened = 0
      const ports = connecting(world, (...args) => {
        const id = opened++
        return { ...world.ports.connect(...args), close: async () => void closed.push(id) }
      })
      await run(world, ports)
      expect(opened).toBeGreaterThan(0)
      expect(new Set(closed).size).toBe(opened)
    }
  })
})

describe('a pair that an earlier run left behind', () => {
  /** An unpromoted successor of what a run wrote. */
  async function left() {
    const world = mdrWorld()
    await run(world)
    const from = (await world.secrets.currentId(world.enrollment)) ?? ''
    const versionId = successorId(from)
    const issuedAt = new Date(world.clock.now().getTime() + 1000)
    const tokens = {
      accessToken: new Redacted('access-9'),
      tokenType: 'Bearer',
      issuedAt,
      expiresAt: new Date(issuedAt.getTime() + 3_600_000),
      refreshToken: new Redacted('refresh-9'),
      grant: 'refresh_token',
    }
    const text = encodeEnrollment(
      { versionId, credential: {}, credentialId: enrolledId, tokens, superseded: [], fence: 1 },
      { connection: 'mdr-prod', vendor: 'kaspersky-mdr' },
    )
    await world.secrets.put(world.enrollment, { versionId, text }, 'pending')
    world.clock.advance(60)
    const verified = connecting(world, (...args) => ({
      ...world.ports.connect(...args),
      verify: async () => ({}),
    }))
    return { world, versionId, verified, from }
  }

  test('is made current and published, without asking the vendor for another', async () => {
    const { world, versionId, verified } = await left()
    expect(await run(world, verified)).toMatchObject({ outcome: 'resumed' })
    expect(await world.secrets.currentId(world.enrollment)).toBe(versionId)
    expect(world.published()).toBe('access-9')
    expect(world.item()).toMatchObject({ versionId, published: { versionId } })
    expect(world.fake.presented.size).toBe(1)
  })

  test('is written once more, with their credentials, where a person has edited the secret since', async () => {
    const { world, versionId, verified } = await left()
    const spent = world.tokens()[0]
    const edited = '00000000-0000-4000-8000-00000000000e'
    world.enroll({ refreshToken: spent, clientId: 'tenant-1' }, edited)
    expect(await run(world, verified)).toMatchObject({ outcome: 'resumed' })
    expect(await world.secrets.currentId(world.enrollment)).toBe(successorId(edited))
    expect(await world.secrets.currentId(world.enrollment)).not.toBe(versionId)
    expect(world.secrets.current(world.enrollment)).toMatchObject({
      clientId: 'tenant-1',
      refreshToken: 'refresh-9',
      credentialId: edited,
    })
  })

  /** The same, consumers being without a token; the vendor is asked about each and says this. */
  async function asked(error: (tries: number) => Error | undefined) {
    const { world } = await left()
    let tries = 0
    const verify = async () => {
      const thrown = error(++tries)
      if (thrown !== undefined) throw thrown
      return {}
    }
    const { published: _, ...item } = world.item()
    world.ledger.items.set('mdr-prod', item)
    const ports = connecting(world, (...args) => ({ ...world.ports.connect(...args), verify }))
    world.fake.renew('refresh-9')
    const outcome = await run(world, ports)
    return { outcome, world, tries }
  }

  test('whose token the vendor refuses is followed by another in the same run', async () => {
    const { outcome, world } = await asked((tries) =>
      tries === 1 ? new VerifyFailedError('it does not work', true) : undefined,
    )
    expect(outcome).toMatchObject({ outcome: 'rotated' })
    expect(world.published()).not.toBe('access-9')
    expect(world.item().rejected).toBeUndefined()
  })

  test('whose token the vendor cannot judge is tried once in a run', async () => {
    const { outcome, tries } = await asked(() => new ResponseError('odd', { status: 500 }))
    expect(outcome).toMatchObject({ outcome: 'failed', error: { code: 'ERR_RESPONSE' } })
    expect(tries).toBe(1)
  })
})

describe('what a run writes down of the enrollment secret', () => {
  test('is when it wrote a version, and which, and no version of more than a day ago', async () => {
    const world = mdrWorld()
    await run(world)
    const first = world.clock.now()
    expect(world.item().enrollmentWrites).toEqual([first])
    expect(world.item().versionId).toBe(await world.secrets.currentId(world.enrollment))
    world.clock.advance(86_400)
    await run(world)
    expect(world.item().enrollmentWrites).toEqual([world.clock.now()])
  })

  test('is nothing while only the escrow has the pair; it is fetched at the next tick', async () => {
    const world = mdrWorld()
    const put: Ports['secrets']['put'] = async (id, ...rest) =>
      id === world.enrollment ? throttled() : world.secrets.put(id, ...rest)
    const outcome = await run(world, storing(world, { put }))
    expect(outcome).toMatchObject({ outcome: 'rotated' })
    const soon = (outcome.dueAt?.getTime() ?? 0) - world.clock.now().getTime()
    expect(soon).toBeLessThanOrEqual(60_000)
    expect(world.item().enrollmentWrites).toEqual([])
    expect(world.item().versionId).toBeUndefined()
    expect(world.item().intent).toBeDefined()
    world.clock.advance(60)
    expect(await run(world)).toMatchObject({ outcome: 'resumed' })
    expect(world.parameters.values.size).toBe(0)
    expect(world.item().intent).toBeUndefined()
  })

  test('is nothing either while the pair is fetched from the escrow and goes back to it', async () => {
    const world = mdrWorld()
    const put: Ports['secrets']['put'] = async (id, ...rest) =>
      id === world.enrollment ? throttled() : world.secrets.put(id, ...rest)
    const ports = storing(world, { put })
    await run(world, ports)
    world.clock.advance(60)
    const outcome = await run(world, ports)
    expect(outcome).toMatchObject({ outcome: 'resumed' })
    expect(world.item().versionId).toBeUndefined()
    expect(world.parameters.values.size).toBe(1)
    expect(world.fake.presented.size).toBe(1)
  })

  test('is not spoilt by an escrow that cannot be emptied', async () => {
    const world = mdrWorld()
    const ports = { ...world.ports, parameters: { ...world.parameters, remove: throttled } }
    expect(await run(world, ports)).toMatchObject({ outcome: 'rotated' })
  })

  test('is promoted at a later try if the store does not answer at once', async () => {
    const world = mdrWorld()
    let tries = 0
    const promote: Ports['secrets']['promote'] = async (...args) =>
      ++tries < 3 ? throttled() : world.secrets.promote(...args)
    expect(await run(world, storing(world, { promote }))).toMatchObject({ outcome: 'rotated' })
  })

  test('leaves time to tell of a pair that no store took', async () => {
    const world = mdrWorld()
    const began = world.clock.now().getTime()
    const ports = {
      ...storing(world, { put: throttled }),
      parameters: { ...world.parameters, write: throttled },
    }
    expect(await run(world, ports)).toMatchObject({ cause: 'token-at-risk' })
    const took = (world.clock.now().getTime() - began) / 1000
    expect(took).toBeGreaterThan(290)
    expect(took).toBeLessThanOrEqual(295)
    expect(world.told()).toEqual(['token-at-risk'])
  })
})

test('a session that is asked to live on brings what was noticed of its certificate', async () => {
  const world = kscWorld()
  await world.invoke()
  world.fake.state.certificateEnds = new Date(world.clock.now().getTime() + 6.5 * 86_400_000)
  world.clock.advance(60)
  const outcome = await world.invoke()
  expect(outcome).toMatchObject({ outcome: 'kept-alive', expiring: [{ days: 7 }] })
})

test('a pair that is written while somebody restores an older version is found, though it is not to be seen at once', async () => {
  const { invoke, clock, item, ports, secrets, enrollment, fake, published, told } = mdrWorld()
  await invoke()
  clock.advance(3600)
  await invoke()
  const used = secrets.versions(enrollment)[0] ?? ''
  clock.advance(3600)
  let unseen: { readonly versionId: string; looks: number } | undefined
  const read: typeof secrets.read = async (secretId, versionId) => {
    if (unseen?.versionId === versionId && unseen && unseen.looks-- > 0) return undefined
    return secrets.read(secretId, versionId)
  }
  const put: typeof secrets.put = async (secretId, version, label) => {
    if (secretId === enrollment && unseen === undefined) {
      unseen = { versionId: version.versionId, looks: 3 }
      secrets.label(enrollment, used)
    }
    return secrets.put(secretId, version, label)
  }
  await invoke({ ...ports, secrets: { ...secrets, read, put } })
  expect(told()).toEqual([])
  expect(fake.isAlive(published() ?? '')).toBe(true)
  expect(item().intent).toBeUndefined()
})
