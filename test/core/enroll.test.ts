import { describe, expect, test } from 'vitest'
import { enroll, requestRotation } from '../../lib/core/enroll.ts'
import { StoreError } from '../../lib/core/errors.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import type { Ports } from '../../lib/core/run.ts'
import { enrolledId, ftdWorld, mdrWorld } from './world.ts'

const newId = '00000000-0000-4000-8000-000000000009'

/** A command of a person, at any world's moment. */
function person(world: ReturnType<typeof mdrWorld> | ReturnType<typeof ftdWorld>) {
  const { connection, vendor } = world
  const run = () => ({
    connection,
    vendor,
    runId: 'person-1',
    remainingSeconds: () => 60,
  })
  return {
    enrolls: (fields: Record<string, unknown>, ports: Ports = world.ports) =>
      enroll(run(), fields, newId, ports),
    asks: (ports: Ports = world.ports) => requestRotation(run(), ports),
  }
}

async function written(world: ReturnType<typeof mdrWorld>, change: Partial<LedgerItem>) {
  const item = world.item()
  await world.ledger.write({ ...item, ...change, revision: item.revision + 1 })
}

describe('an enrollment', () => {
  test('is current at once, under its own id, and due at once', async () => {
    const world = mdrWorld()
    await world.invoke()
    world.clock.advance(60)
    expect(await person(world).enrolls({ refreshToken: 'console-token-2' })).toBe('enrolled')
    expect(await world.secrets.currentId(world.enrollment)).toBe(newId)
    expect(world.secrets.current(world.enrollment)).toEqual({ refreshToken: 'console-token-2' })
    const item = world.item()
    expect(item).toMatchObject({ dueAt: world.clock.now(), requested: true, attempts: 0 })
    expect(item.history.at(-1)).toEqual({
      at: world.clock.now(),
      outcome: 'enrolled kaspersky-mdr',
    })
    expect(item.lease).toBeUndefined()
  })

  test('forgets what was known of the former credential, and keeps what was sent, written and published', async () => {
    const world = mdrWorld()
    await world.invoke()
    const at = world.clock.now()
    const { spent, published, enrollmentWrites } = world.item()
    await written(world, {
      intent: { grant: 'g', token: 't', versionId: 'v', at, kind: 'probe', refused: true },
      retireAt: at,
      rejected: 'v',
      refused: [{ grant: 'g', credentialId: 'v' }],
    })
    await person(world).enrolls({ refreshToken: 'console-token-2' })
    const item = world.item()
    for (const part of ['intent', 'versionId', 'rejected', 'retireAt', 'refreshExpiresAt']) {
      expect(item).not.toHaveProperty(part)
    }
    expect(item.refused).toEqual([])
    expect(item).toMatchObject({ spent, published, enrollmentWrites })
    expect(spent).toHaveLength(1)
    expect(enrollmentWrites).toHaveLength(1)
  })

  test.each(['a run', 'a person'])(
    'is not lost when somebody puts an older version of %s over it before its first use',
    async (writer) => {
      const world = mdrWorld()
      await world.invoke()
      const used = world.item().versionId ?? ''
      world.clock.advance(3600)
      await world.invoke()
      world.fake.renew('console-token-2')
      await person(world).enrolls({ refreshToken: 'console-token-2' })
      world.secrets.label(world.enrollment, writer === 'a run' ? used : enrolledId)
      await world.invoke()
      expect(world.fake.presented.get('console-token-2')).toBe(1)
      expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    },
  )

  test('gives way to an older one that somebody puts over it and that is not used up', async () => {
    const world = mdrWorld()
    await world.invoke()
    const unused = world.item().versionId ?? ''
    const token = world.fake.tip() ?? ''
    await person(world).enrolls({ refreshToken: 'console-token-2' })
    world.secrets.label(world.enrollment, unused)
    await world.invoke()
    expect(world.fake.presented.get(token)).toBe(1)
    expect(world.fake.presented.has('console-token-2')).toBe(false)
  })

  test('is no way back once something newer was sent', async () => {
    const world = mdrWorld()
    await world.invoke()
    const used = world.item().versionId ?? ''
    world.clock.advance(3600)
    await world.invoke()
    await person(world).enrolls({ refreshToken: 'console-token-2' })
    world.fake.renew('pasted-token')
    world.enroll({ refreshToken: 'pasted-token' }, 'version-of-a-person')
    world.fake.faults.push('lose')
    await world.invoke()
    world.secrets.label(world.enrollment, used)
    world.clock.advance(60)
    await world.invoke()
    expect(world.fake.presented.has('console-token-2')).toBe(false)
  })

  test('during an incident is part of it: what it does not mend is told again', async () => {
    const world = mdrWorld()
    await world.invoke()
    const incident = { id: 'run-0', openedAt: world.clock.now() }
    await written(world, {
      incident: { ...incident, told: ['enrollment-required', 'version-budget'] },
    })
    await person(world).enrolls({ refreshToken: 'console-token-2' })
    expect(world.item().incident).toEqual({ ...incident, enrollments: 1, told: ['version-budget'] })
  })

  test('says which region is at work, once there has been a take-over', async () => {
    const region = 'eu-west-1'
    for (const epoch of [0, 7]) {
      const world = mdrWorld()
      await world.invoke()
      await written(world, { standing: { epoch, region } })
      await person(world).enrolls({ refreshToken: 'console-token-2' })
      expect(world.secrets.current(world.enrollment)).toEqual({
        refreshToken: 'console-token-2',
        ...(epoch === 0 ? {} : { epoch, home: region }),
      })
    }
  })

  test('takes what was in the escrow away, for it belongs to the former credential', async () => {
    const world = mdrWorld()
    await world.parameters.write('/token-rotator/mdr-prod/escrow', 'a former pair')
    await person(world).enrolls({ refreshToken: 'console-token-2' })
    expect(world.parameters.values.size).toBe(0)
  })

  test('is stored at a later try if the store does not answer at once', async () => {
    const world = mdrWorld()
    let tries = 0
    const put: Ports['secrets']['put'] = async (...args) => {
      if (++tries < 3) throw new StoreError('PutSecretValue was throttled', 'retry')
      return world.secrets.put(...args)
    }
    const ports = { ...world.ports, secrets: { ...world.secrets, put } }
    expect(await person(world).enrolls({ refreshToken: 'console-token-2' }, ports)).toBe('enrolled')
    expect(await world.secrets.currentId(world.enrollment)).toBe(newId)
  })

  test('waits while a run is at work, and stores nothing then', async () => {
    const world = mdrWorld()
    await world.invoke()
    const lease = { runId: 'run-9', expiresAt: new Date(world.clock.now().getTime() + 1000) }
    await written(world, { lease })
    const before = await world.secrets.currentId(world.enrollment)
    expect(await person(world).enrolls({ refreshToken: 'console-token-2' })).toBe('lease-held')
    expect(await world.secrets.currentId(world.enrollment)).toBe(before)
  })

  test('that fails is told as it was, although the ledger fails as well', async () => {
    const world = mdrWorld()
    const refusal = new StoreError('PutSecretValue was denied', 'denied')
    const put = () => Promise.reject(refusal)
    let writes = 0
    const write: Ports['ledger']['write'] = async (item) => {
      if (++writes > 1) throw new StoreError('UpdateItem was denied', 'denied')
      return world.ledger.write(item)
    }
    const ports = {
      ...world.ports,
      secrets: { ...world.secrets, put },
      ledger: { ...world.ledger, write },
    }
    await expect(person(world).enrolls({ refreshToken: 't' }, ports)).rejects.toBe(refusal)
    expect(writes).toBe(2)
  })

  test('that is not enough for any grant is refused with what is needed, and not stored', async () => {
    const world = ftdWorld()
    const before = await world.secrets.currentId(world.enrollment)
    const connected: boolean[] = []
    const ports: Ports = {
      ...world.ports,
      connect: (...args) => ({
        ...world.ports.connect(...args),
        grants: [],
        close: async () => void connected.push(false),
      }),
    }
    const fields = { username: 'api', password: 'made-up-1' }
    await expect(person(world).enrolls(fields, ports)).rejects.toThrow(
      'credential: is not enough for any grant; cisco-ftd takes username, password',
    )
    expect(connected).toEqual([false])
    expect(await world.secrets.currentId(world.enrollment)).toBe(before)
    expect(world.ledger.items.size).toBe(0)
  })

  test('is taken if one of several grants can use it', async () => {
    const world = ftdWorld()
    expect(await person(world).enrolls({ username: 'api', password: 'made-up-1' })).toBe('enrolled')
  })
})

describe('asking for a rotation', () => {
  test('makes the connection due at once', async () => {
    const world = mdrWorld()
    await world.invoke()
    world.clock.advance(60)
    expect(await person(world).asks()).toBe('requested')
    expect(world.item()).toMatchObject({
      dueAt: world.clock.now(),
      requested: true,
      attempts: 0,
    })
    expect(world.item().history.at(-1)).toEqual({ at: world.clock.now(), outcome: 'requested' })
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
  })

  test('is put on record at a later try if the ledger does not answer at once', async () => {
    const world = mdrWorld()
    await world.invoke()
    let writes = 0
    const write: Ports['ledger']['write'] = async (item) => {
      if (++writes === 2) throw new StoreError('UpdateItem was throttled', 'retry')
      return world.ledger.write(item)
    }
    const ports = { ...world.ports, ledger: { ...world.ledger, write } }
    expect(await person(world).asks(ports)).toBe('requested')
    expect(world.item().requested).toBe(true)
  })

  test('counts what has failed from one, but not the looks after a take-over', async () => {
    const world = mdrWorld()
    await world.invoke()
    await written(world, { attempts: 3 })
    await person(world).asks()
    expect(world.item().attempts).toBe(0)
    await written(world, { attempts: 3, takingOver: { without: [], settled: false } })
    await person(world).asks()
    expect(world.item().attempts).toBe(3)
  })

  test('of a connection that never ran is not possible, and leaves no trace', async () => {
    const world = mdrWorld()
    expect(await person(world).asks()).toBe('unknown')
    expect(world.ledger.items.size).toBe(0)
  })

  test('waits while a run is at work', async () => {
    const world = mdrWorld()
    await world.invoke()
    const lease = { runId: 'run-9', expiresAt: new Date(world.clock.now().getTime() + 1000) }
    await written(world, { lease })
    expect(await person(world).asks()).toBe('lease-held')
    expect(world.item().requested).toBeUndefined()
  })
})
