import { describe, expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import { gate } from '../museum/scene.ts'
import { ftdWorld, kscWorld } from './world.ts'

type World = ReturnType<typeof kscWorld>

/** Ports whose next write of the consumer secret stands still on its way until told to go on. */
function standing(world: World, call: 'put' | 'promote') {
  const reached = gate()
  const go = gate()
  const through = async <A extends [string, ...unknown[]], R>(
    original: (...args: A) => Promise<R>,
    ...args: A
  ) => {
    if (args[0] === world.consumer) {
      reached.open()
      await go.opened
    }
    return original(...args)
  }
  const { put, promote } = world.secrets
  const secrets: Ports['secrets'] = {
    ...world.secrets,
    ...(call === 'put'
      ? { put: (...args) => through(put, ...args) }
      : { promote: (...args) => through(promote, ...args) }),
  }
  return { ports: { ...world.ports, secrets }, reached: reached.opened, go: go.open }
}

/** A session is held and published, and another one is asked for. */
async function askedAnew(): Promise<World> {
  const world = kscWorld()
  await world.minutes(3)
  world.ledger.items.set(world.connection.id, { ...world.item(), requested: true })
  return world
}

describe('a publication', () => {
  test.each(['put', 'promote'] as const)(
    'that stood still (%s) while another run published does not bring the older session back',
    async (call) => {
      const world = await askedAnew()
      const { ports, reached, go } = standing(world, call)
      const first = world.invoke(ports)
      await reached
      world.clock.advance(120)
      await world.invoke()
      const newer = world.published()
      go()
      await first
      expect(world.published()).toBe(newer)
      await world.minutes(15)
      expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    },
  )

  test('over a version that a person put there is made all the same', async () => {
    const world = ftdWorld()
    await world.minutes(5)
    world.secrets.edit(world.consumer, '00000000-0000-4000-8000-00000000000a', '{}')
    await world.minutes(20)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })

  test('is made once though every write of the ledger is answered too late', async () => {
    const world = await askedAnew()
    world.secrets.edit(world.consumer, '00000000-0000-4000-8000-00000000000a', '{}')
    let writes = 0
    const ledger: Ports['ledger'] = {
      ...world.ledger,
      async write(item) {
        const result = await world.ledger.write(item)
        if (++writes === 2) throw new StoreError('the table did not answer', 'retry')
        return result
      },
    }
    expect(await world.invoke({ ...world.ports, ledger })).toMatchObject({ outcome: 'rotated' })
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })
})
