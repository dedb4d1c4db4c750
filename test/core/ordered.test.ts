import { describe, expect, test } from 'vitest'
import { acquired, isAsked, newItem, ordered } from '../../lib/core/ledger.ts'
import { rotate } from '../../lib/core/rotate.ts'
import type { Ports } from '../../lib/core/run.ts'
import { publicationId } from '../../lib/core/version-id.ts'
import { faulty } from './crash.ts'
import { incydrWorld, kscWorld, mdrWorld, start } from './world.ts'

const order = '00000000-0000-4000-8000-0000000000aa'
/** No room for another version of the enrollment secret: nothing that spends is asked for. */
const fullOfVersions = Array.from({ length: 98 }, () => start)
const other = '00000000-0000-4000-8000-0000000000bb'

type World = Pick<ReturnType<typeof mdrWorld>, 'connection' | 'vendor' | 'ports'>
let runs = 0
/** A run that is to publish as this version, as a native rotation starts it. */
function run({ connection, vendor, ports }: World, publishAs = order, through: Ports = ports) {
  const runId = `ordered-${++runs}`
  return rotate({ connection, vendor, runId, publishAs, remainingSeconds: () => 300 }, through)
}

describe('an ordered run', () => {
  test('renews although nothing is due, and publishes as the version that was ordered', async () => {
    const world = mdrWorld()
    await world.invoke()
    const before = world.published()
    expect(await run(world)).toMatchObject({ outcome: 'rotated' })
    expect(world.secrets.labelled(world.consumer)).toBe(order)
    expect(world.published()).not.toBe(before)
    expect(world.repeated()).toBe(0)
    expect(world.item()).toMatchObject({ published: { as: order } })
    expect(world.item()).not.toHaveProperty('ordered')
    expect(world.item()).not.toHaveProperty('requested')
  })

  test('that is repeated renews nothing more', async () => {
    const world = mdrWorld()
    await world.invoke()
    await run(world)
    expect(await run(world)).toMatchObject({ outcome: 'unchanged' })
    expect(world.tokens()).toHaveLength(2)
  })

  test.each([mdrWorld, kscWorld, incydrWorld])(
    'is followed by the usual versions, each promoted from the one before at once (%o)',
    async (worldOf) => {
      const world = worldOf()
      await world.invoke()
      await run(world)
      world.ledger.items.set(world.connection.id, {
        ...world.item(),
        requested: true,
        dueAt: start,
      })
      let asked = 0
      const { currentId } = world.ports.secrets
      const secrets = {
        ...world.ports.secrets,
        currentId: (id: string) => {
          asked++
          return currentId(id)
        },
      }
      expect(await world.invoke({ ...world.ports, secrets })).toMatchObject({ outcome: 'rotated' })
      const { versionId = '' } = world.item().published ?? {}
      expect(world.secrets.labelled(world.consumer)).toBe(publicationId(versionId))
      expect(world.item().published).not.toHaveProperty('as')
      expect(asked).toBe(0)
    },
  )

  test('leaves its order to the next tick if the vendor does not answer', async () => {
    const world = kscWorld()
    await world.invoke()
    const connect: Ports['connect'] = () => {
      throw new Error('out of reach')
    }
    expect(await run(world, order, { ...world.ports, connect })).toMatchObject({
      outcome: 'failed',
    })
    expect(world.item()).toMatchObject({ ordered: { versionId: order } })
    await world.minutes(5)
    expect(world.secrets.labelled(world.consumer)).toBe(order)
  })

  test('finds the lease held, and orders nothing', async () => {
    const world = mdrWorld()
    await world.invoke()
    world.ledger.items.set(
      world.connection.id,
      acquired(world.item(), { runId: 'x', leaseUntil: new Date(start.getTime() + 60_000) }),
    )
    const before = world.item()
    expect(await run(world)).toMatchObject({ outcome: 'lease-held' })
    expect(world.item()).toEqual(before)
  })

  /** Where among its calls the last one of this name stands, when nothing goes wrong. */
  async function boundary(worldOf: () => World & { invoke: () => unknown }, name: string) {
    const world = worldOf()
    await world.invoke()
    const watched = faulty(world.ports, -1, 'die before')
    await run(world, order, watched.ports)
    return watched.crossed.lastIndexOf(name)
  }

  test.each(['secrets.put', 'secrets.promote', 'vendor.verify'])(
    'that dies after its last %s is carried out by the next tick with the pair that it got',
    async (name) => {
      const world = mdrWorld()
      await world.invoke()
      const dying = faulty(world.ports, await boundary(mdrWorld, name), 'die after')
      await Promise.race([run(world, order, dying.ports), dying.died])
      await world.minutes(10)
      expect(world.secrets.labelled(world.consumer)).toBe(order)
      expect(world.tokens()).toHaveLength(2)
      expect(world.repeated()).toBe(0)
    },
  )

  test('that was half done with tokens that are not held is carried out under another id', async () => {
    const world = incydrWorld()
    await world.invoke()
    const dying = faulty(world.ports, await boundary(incydrWorld, 'secrets.put'), 'die after')
    await Promise.race([run(world, order, dying.ports), dying.died])
    await world.minutes(3)
    expect(world.secrets.versions(world.consumer)).toHaveLength(3)
    expect(world.secrets.labelled(world.consumer)).toBe(world.secrets.versions(world.consumer)[2])
    expect(world.item()).not.toHaveProperty('ordered')
  })
})

describe('a secret in which no version is current', () => {
  test('is published into all the same', async () => {
    const world = mdrWorld()
    // What a native rotation of an empty secret leaves: an empty version, so the first value is not the first version.
    const { put } = world.ports.secrets
    const secrets: Ports['secrets'] = {
      ...world.ports.secrets,
      async put(id, version, label) {
        const done = await put(id, version, label)
        if (id === world.consumer) world.secrets.unlabel(id)
        return done
      },
    }
    expect(await world.invoke({ ...world.ports, secrets })).toMatchObject({ outcome: 'rotated' })
    expect(world.published()).toBeDefined()
  })
})

describe('an order', () => {
  const item = { ...newItem({ vendor: 'v', connection: 'c' }, start), fence: 3 }

  test('is answered by what was obtained under its fence or a later one, and by nothing before', () => {
    const asked = ordered(item, order, start)
    expect(isAsked(asked, { fence: 2 })).toBe(true)
    expect(isAsked(asked, {})).toBe(true)
    expect(isAsked(asked, { fence: 3 })).toBe(false)
    expect(isAsked(asked, { fence: 4 })).toBe(false)
  })

  test('stands as it was first taken down', () => {
    const asked = ordered(item, order, start)
    expect(ordered({ ...asked, fence: 9 }, order, start).ordered).toEqual({
      versionId: order,
      fence: 3,
    })
    expect(ordered({ ...asked, fence: 9 }, other, start).ordered).toEqual({
      versionId: other,
      fence: 9,
    })
    expect(ordered(item, undefined, start)).toBe(item)
  })

  test('is not carried out by a pair that was held before it', async () => {
    const world = mdrWorld()
    await world.invoke()
    const item = world.item()
    if (item.published === undefined) throw new Error('nothing is published')
    // Published before it could be verified, so it is to be published again; nothing newer is to be had.
    const proven = { ...item, published: { ...item.published, proven: false } }
    const asked = ordered({ ...proven, fence: proven.fence + 1 }, order, start)
    world.ledger.items.set(world.connection.id, { ...asked, enrollmentWrites: fullOfVersions })
    expect(await world.invoke()).toMatchObject({ outcome: 'blocked', cause: 'version-budget' })
    expect(world.item()).toMatchObject({
      published: { proven: true },
      ordered: { versionId: order },
    })
    expect(world.secrets.versions(world.consumer)).not.toContain(order)
  })
})
