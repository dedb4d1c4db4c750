import { describe, expect, test } from 'vitest'
import { faulty } from './crash.ts'
import { kscWorld } from './world.ts'

type World = ReturnType<typeof kscWorld>

/** Minutes of a tick each, in which consumers meet `dead` sessions; `meanwhile` acts before a tick. */
async function pass(world: World, minutes: number, meanwhile = (_minute: number) => {}) {
  let dead = 0
  for (let minute = 0; minute < minutes; minute++) {
    world.clock.advance(60)
    meanwhile(minute)
    await world.invoke()
    if (!world.fake.isAlive(world.published() ?? '')) dead++
  }
  return dead
}

/** A connection whose first session is published. */
async function begun() {
  const world = kscWorld()
  await world.invoke()
  expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  return world
}

describe('a session that is kept alive', () => {
  test('is written once a day and asked at every tick', async () => {
    const world = await begun()
    world.fake.state.pings = 0
    expect(await pass(world, 24 * 60)).toBe(0)
    expect(world.fake.state).toMatchObject({ logins: 1, pings: 24 * 60 })
    // What was enrolled, and what was written.
    expect(world.secrets.versions(world.enrollment)).toHaveLength(2)
    expect(world.secrets.versions(world.consumer)).toHaveLength(1)
    expect(world.told()).toEqual([])
  })

  test('is asked at every tick although ticks come early and late by some seconds', async () => {
    const world = await begun()
    world.fake.state.pings = 0
    for (let minute = 0; minute < 120; minute++) {
      world.clock.advance(minute % 2 === 0 ? 52 : 68)
      await world.invoke()
    }
    expect(world.fake.state.pings).toBe(120)
  })

  test('reaches consumers without an end, its proof of life stands in the ledger', async () => {
    const world = await begun()
    expect(world.secrets.current(world.consumer)).toMatchObject({
      base_url: 'https://ksc.example.com:13299',
      headers: { 'X-KSC-Session': 'session-1' },
      expires_at: null,
      kept_alive: true,
    })
    await pass(world, 7)
    expect(world.item().aliveAt).toEqual(world.clock.now())
    expect(world.item().history.at(-1)?.outcome).toBe('kept-alive')
  })

  test('is replaced within one tick when it dies', async () => {
    const world = await begun()
    expect(
      await pass(world, 60, (minute) => {
        if (minute % 20 === 10) world.fake.restart()
      }),
    ).toBe(0)
    expect(world.fake.logins()).toBe(4)
    expect(world.fake.living()).toEqual([world.published()])
    expect(world.told()).toEqual([])
  })

  test('is replaced at the first tick at which an unreachable server answers again, whenever that is', async () => {
    for (const minutes of [1, 2, 3, 4, 7, 12, 31, 60]) {
      const world = await begun()
      world.fake.state.isUnreachable = true
      await pass(world, minutes)
      world.fake.state.isUnreachable = false
      expect(await pass(world, 5)).toBe(0)
      expect(world.fake.logins()).toBe(minutes < 2 ? 1 : 2)
    }
  })

  test('is replaced at the first tick at which a starting server takes logins again', async () => {
    const world = await begun()
    world.fake.restart()
    world.fake.state.isBusy = true
    await pass(world, 31)
    world.fake.state.isBusy = false
    expect(await pass(world, 5)).toBe(0)
  })

  test('is replaced at the first tick although logins failed for other reasons than refusal', async () => {
    const world = await begun()
    world.fake.restart()
    world.fake.faults.push(...Array(20).fill('error'))
    await pass(world, 20)
    expect(await pass(world, 1)).toBe(0)
  })

  test('that is long dead makes a person be told, once, and told when it is over', async () => {
    const world = await begun()
    world.fake.state.isUnreachable = true
    await pass(world, 30)
    world.fake.state.isUnreachable = false
    await pass(world, 5)
    expect(world.told()).toEqual(['freshness-at-risk', 'Token Recovered'])
  })

  test('that died before it was published is replaced, not verified for ever', async () => {
    for (const boundary of ['secrets.put', 'secrets.promote', 'vendor.verify']) {
      const { ports: recording, crossed } = faulty(kscWorld().ports, -1, 'die after')
      await kscWorld().invoke(recording)
      const world = kscWorld()
      const { ports, died } = faulty(world.ports, crossed.indexOf(boundary), 'die after')
      await Promise.race([world.invoke(ports), died])
      world.clock.advance(3600)
      expect(await pass(world, 5)).toBe(0)
      expect(world.fake.logins()).toBe(2)
    }
  })

  test('of which a new one is asked for leaves the old one to caches, and ends it after them', async () => {
    const world = await begun()
    world.ledger.items.set('ksc-hq', { ...world.item(), requested: true, dueAt: world.clock.now() })
    await world.invoke()
    expect(world.published()).toBe('session-2')
    expect(world.fake.living()).toEqual(['session-1', 'session-2'])
    // A consumer that holds the old one in its cache goes on using it.
    await pass(world, 4, () => world.fake.touch('session-1'))
    expect(world.fake.state.ended).toEqual([])
    await pass(world, 2, () => world.fake.touch('session-1'))
    expect(world.fake.state.ended).toEqual(['session-1'])
    expect(world.fake.living()).toEqual(['session-2'])
  })

  test('survives the loss of its ledger item', async () => {
    const world = await begun()
    await pass(world, 3)
    world.ledger.items.clear()
    expect(await pass(world, 5)).toBe(0)
    expect(world.fake.logins()).toBe(1)
  })

  test('counts as alive from its proof on only', async () => {
    const world = kscWorld()
    const { ports } = faulty(world.ports, -1, 'die before')
    let verifications = 0
    await world.invoke({
      ...ports,
      connect: (...args) => {
        const client = world.ports.connect(...args)
        return {
          ...client,
          verify: async (tokens, call) => {
            verifications++
            world.fake.state.isBusy = verifications === 1
            return client.verify?.(tokens, call) ?? {}
          },
        }
      },
    })
    expect(world.item()).toMatchObject({ published: { proven: false } })
    expect(world.item().aliveAt).toBeUndefined()
    world.fake.state.isBusy = false
    await pass(world, 1)
    expect(world.item()).toMatchObject({ published: { proven: true } })
    expect(world.item().aliveAt).toEqual(world.clock.now())
  })
})

describe('a refused login', () => {
  test('is not repeated within a day, is told once per cause, and ends with an enrollment', async () => {
    const world = kscWorld()
    world.enroll({ username: 'openapi', password: 'wrong' })
    await pass(world, 24 * 60)
    expect(world.fake.state.attempts).toBe(1)
    expect(world.told()).toEqual(['enrollment-required', 'freshness-at-risk'])
    world.enroll(
      { username: 'openapi', password: 'made-up-1' },
      '00000000-0000-4000-8000-000000000002',
    )
    expect(await pass(world, 15).then((dead) => dead < 15)).toBe(true)
    await expect(world.fake.state.attempts).toBe(2)
    expect(world.told().at(-1)).toBe('Token Recovered')
  })

  test('after a session has died is not repeated either', async () => {
    const world = await begun()
    world.fake.restart()
    world.fake.faults.push('refuse')
    await pass(world, 60)
    expect(world.fake.state.attempts).toBe(2)
    expect(world.told().filter((cause) => cause === 'enrollment-required')).toHaveLength(1)
  })
})

describe('the certificate of the server', () => {
  test('is told of once it ends within 30, 7 or 1 days, while the session lives on', async () => {
    const world = await begun()
    const day = 86_400_000
    const told = []
    for (const daysLeft of [31, 29.9, 20, 6.9, 3, 0.9]) {
      world.fake.state.certificateEnds = new Date(world.clock.now().getTime() + daysLeft * day)
      const before = world.told().length
      await pass(world, 3)
      told.push([daysLeft, world.told().length - before])
    }
    expect(told).toEqual([
      [31, 0],
      [29.9, 1],
      [20, 1],
      [6.9, 1],
      [3, 1],
      [0.9, 1],
    ])
    expect(world.fake.logins()).toBe(1)
  })
})

test('no session, password or user name stands in the ledger or in an event', async () => {
  const world = await begun()
  world.fake.restart()
  world.fake.faults.push('lose', 'refuse')
  await pass(world, 30)
  const seen = JSON.stringify([...world.ledger.items.values(), ...world.events.emitted])
  expect(world.events.emitted.length).toBeGreaterThan(1)
  for (const secret of [
    'session-',
    'made-up-1',
    'openapi',
    Buffer.from('made-up-1').toString('base64'),
  ]) {
    expect(seen).not.toContain(secret)
  }
})
