import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { StoreError, TransportError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import { gate } from '../museum/scene.ts'
import { faults, faulty } from './crash.ts'
import { mdrWorld } from './world.ts'

type World = ReturnType<typeof mdrWorld>

/** The engine’s ports, with a vendor that tells by introspection what a refresh token is worth. */
function asking(world: World, ask?: (asked: number) => 'active' | 'inactive') {
  const asked: string[] = []
  const ports: Ports = {
    ...world.ports,
    connect: (...args) => ({
      ...world.ports.connect(...args),
      async introspect(token) {
        asked.push(token.reveal())
        return ask?.(asked.length) ?? (token.reveal() === world.fake.tip() ? 'active' : 'inactive')
      },
    }),
  }
  return { ports, asked }
}

const unreachable = () => {
  throw new TransportError('no answer', 'no')
}

/** Drops the connection before the vendor has seen the call, as far as the rotator can tell. */
function dropBefore(ports: Ports): Ports {
  return {
    ...ports,
    connect: (...args) => {
      const client = ports.connect(...args)
      const request = async () => {
        throw new TransportError('no answer', 'maybe')
      }
      return { ...client, grants: client.grants.map((grant) => ({ ...grant, request })) }
    },
  }
}

async function untilDue(world: World) {
  await world.invoke()
  world.clock.advance((world.item().dueAt.getTime() - world.clock.now().getTime()) / 1000)
}

async function minutes(world: World, ports: Ports, count: number) {
  for (let minute = 0; minute < count; minute++) {
    world.clock.advance(60)
    await world.invoke(ports)
  }
}

describe('a lost answer of a vendor that can introspect', () => {
  test('asks only once no late answer can come, and pages nobody before', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const { ports, asked } = asking(world)
    const outcome = await world.invoke(dropBefore(ports))
    expect(outcome).toMatchObject({ outcome: 'blocked', error: { code: 'ERR_TRANSPORT' } })
    expect(outcome?.cause).toBeUndefined()
    world.clock.advance(100)
    await world.invoke(ports)
    expect(asked).toEqual([])
    expect(world.told()).toEqual([])
    world.clock.advance(10)
    expect(await world.invoke(ports)).toMatchObject({ outcome: 'rotated' })
    expect(asked).toHaveLength(1)
  })

  test('a token that was not consumed is sent again as if for the first time', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const { ports } = asking(world)
    await world.invoke(dropBefore(ports))
    await minutes(world, ports, 3)
    expect(world.repeated()).toBe(0)
    expect(world.told()).toEqual([])
    expect(world.item().intent).toBeUndefined()
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('a repetition that is lost as well is asked about as well, as often as it takes', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const { ports, asked } = asking(world)
    await minutes(world, dropBefore(ports), 5)
    expect(asked.length).toBeGreaterThan(1)
    await minutes(world, ports, 4)
    expect(world.repeated()).toBe(0)
    expect(world.told()).toEqual([])
  })

  test('a run that stood still at the sending, and goes on while the vendor says "active", is not spent over again', async () => {
    const world = mdrWorld()
    const { ports } = asking(world)
    const slow = gate()
    const standing: Ports = {
      ...ports,
      connect: (...args) => {
        const client = ports.connect(...args)
        const grants = client.grants.map((grant) => ({
          ...grant,
          request: async (...call: Parameters<typeof grant.request>) => {
            await slow.opened
            return grant.request(...call)
          },
        }))
        return { ...client, grants }
      },
    }
    const first = world.invoke(standing)
    await setImmediate()
    world.clock.advance(400)
    let hasAsked = false
    const late: Ports = {
      ...ports,
      connect: (...args) => {
        const client = ports.connect(...args)
        const introspect: typeof client.introspect = async (...call) => {
          hasAsked = true
          return client.introspect?.(...call) ?? 'inactive'
        }
        return { ...client, introspect }
      },
      secrets: {
        ...ports.secrets,
        async read(...args) {
          const found = await ports.secrets.read(...args)
          if (!hasAsked) return found
          // Between this look and the next one the first run does all that is left of it.
          slow.open()
          await first
          return found
        },
      },
    }
    await world.invoke(late)
    await minutes(world, ports, 3)
    expect(hasAsked).toBe(true)
    expect(world.repeated()).toBe(0)
    expect(world.told()).toEqual([])
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('a token that was consumed is not sent again, and a person is told at once what to do', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const before = world.published()
    const { ports } = asking(world)
    world.fake.faults.push('lose')
    await world.invoke(ports)
    await minutes(world, ports, 4)
    expect(world.repeated()).toBe(0)
    expect(world.told()).toEqual(['enrollment-required'])
    expect(world.published()).toBe(before)
  })

  test('an enrollment while the vendor is asked counts, not the answer', async () => {
    const world = mdrWorld()
    await untilDue(world)
    world.fake.faults.push('lose')
    const { ports } = asking(world, () => {
      world.enroll({ refreshToken: world.fake.tip() }, '00000000-0000-4000-8000-000000000009')
      return 'inactive'
    })
    await world.invoke(ports)
    world.clock.advance(120)
    expect(await world.invoke(ports)).toMatchObject({ outcome: 'rotated' })
    expect(world.told()).toEqual([])
  })

  test('a vendor that cannot say leaves all as it is: told as at risk, and probed once', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const { ports, asked } = asking(world, unreachable)
    await world.invoke(dropBefore(ports))
    await minutes(world, ports, 3)
    expect(world.told()).toEqual(['token-at-risk'])
    await minutes(world, ports, 12)
    expect(asked.length).toBeGreaterThan(1)
    expect(world.item().intent).toBeUndefined()
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('an answer that a later run cannot write down is asked for again', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const { ports, asked } = asking(world)
    await world.invoke(dropBefore(ports))
    world.clock.advance(115)
    const broken = { ...ports, ledger: failingAt(ports, 1) }
    expect(await world.invoke(broken)).toMatchObject({ outcome: 'failed' })
    expect(world.repeated()).toBe(0)
    await minutes(world, ports, 10)
    expect(asked.length).toBeGreaterThan(1)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('a process that dies at any point of asking loses nothing and spends nothing twice', async () => {
    for (const fault of faults) {
      for (let at = 0; at < 40; at++) {
        const world = mdrWorld()
        await untilDue(world)
        const { ports } = asking(world)
        await world.invoke(dropBefore(ports))
        world.clock.advance(115)
        const { ports: interrupted, crossed, died } = faulty(ports, at, fault)
        await Promise.race([world.invoke(interrupted), died])
        if (crossed.length <= at) break
        // The grant that follows may lose its own answer or the pair; then nobody has the pair.
        const isLost = !isStored(world)
        await minutes(world, ports, 40)
        expect({ at, fault, twice: world.repeated() }).toEqual({ at, fault, twice: 0 })
        const needed = world.told().includes('enrollment-required')
        expect({ at, fault, needed }).toEqual({ at, fault, needed: isLost })
      }
    }
  })
})

/** Whether the vendor's newest refresh token stands in any version or in the escrow. */
function isStored({ fake, secrets, enrollment, parameters }: World): boolean {
  const texts = [...secrets.texts(enrollment), ...parameters.values.values()]
  return texts.some((text) => text.includes(fake.tip() ?? 'none'))
}

/** A ledger whose writes fail from the `from`-th on. */
function failingAt({ ledger }: Ports, from: number): Ports['ledger'] {
  let writes = 0
  return {
    ...ledger,
    async write(item) {
      if (writes++ >= from) throw new StoreError('the table did not answer', 'retry')
      return ledger.write(item)
    },
  }
}
