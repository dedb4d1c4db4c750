import { describe, expect, test, vi } from 'vitest'
import { type Fault, faults, faulty, interposed } from './crash.ts'
import { type Scenario, scenarios } from './scenarios.ts'
import { mdrWorld } from './world.ts'

/** How many boundaries the run crosses when nothing goes wrong. */
async function boundaries({ prepare }: Scenario): Promise<readonly string[]> {
  const world = await prepare()
  const { ports, crossed } = faulty(world.ports, -1, 'die before')
  await world.invoke(ports)
  return crossed
}

async function schedule(
  { prepare, restarts, repeats = false }: Scenario,
  at: number,
  fault: Fault,
) {
  const world = await prepare()
  const before = world.published()
  const presentedBefore = new Set(world.fake.presented.keys())
  const { ports, died } = faulty(world.ports, at, fault)
  await Promise.race([world.invoke(ports), died])
  // The pair reached nobody: the vendor took a token, and no document and no escrow has what it gave.
  const tip = world.fake.tip() ?? 'none'
  const stored = [...world.secrets.texts(world.enrollment), ...world.parameters.values.values()]
  const spent = [...world.fake.presented.keys()].some((token) => !presentedBefore.has(token))
  const isLost = spent && !stored.some((text) => text.includes(tip))

  let dead = 0
  for (let minute = 0; minute < 75; minute++) {
    world.clock.advance(60)
    await world.invoke()
    const token = world.published()
    if (token !== undefined && !world.fake.isAlive(token)) dead++
  }
  return { world, before, isLost, dead, unrecoverable: isLost && !restarts && !repeats }
}

for (const scenario of scenarios) {
  describe(`a run that is interrupted (${scenario.title})`, async () => {
    const names = await boundaries(scenario)
    const table = names.flatMap((name, at) => faults.map((fault) => ({ name, at, fault })))

    test.each(table)(
      '$fault at $at, $name: nothing is lost and nothing is spent twice',
      async ({ at, fault }) => {
        const { world, isLost, dead, unrecoverable } = await schedule(scenario, at, fault)
        // The one deliberate probe, and only where the pair is nowhere.
        expect(world.repeated()).toBeLessThanOrEqual(isLost ? 1 : 0)
        const stored = world.secrets.current(world.enrollment)
        if (unrecoverable) {
          // What cannot be had: the vendor consumed a single-use token and nobody has its answer.
          expect(world.told()).toContain('enrollment-required')
        } else {
          expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
          expect(stored?.refreshToken).toBe(world.fake.tip())
          expect(dead).toBeLessThanOrEqual(scenario.dead ?? 0)
          expect(world.item().incident).toBeUndefined()
        }
        // Told once per cause.
        expect(new Set(world.told()).size).toBe(world.told().length)
      },
    )
  })
}

describe('a run that is interrupted while it tells a person', () => {
  /** A run that tells of a lost answer, interrupted just there, and the ticks that follow. */
  async function telling(fault: Fault) {
    const prepare = async () => {
      const world = mdrWorld()
      await world.invoke()
      while (world.clock.now() < world.item().dueAt) world.clock.advance(1)
      world.fake.faults.push('lose')
      return world
    }
    const [recorded, world] = [await prepare(), await prepare()]
    const { ports, crossed } = faulty(recorded.ports, -1, fault)
    await recorded.invoke(ports)
    const through = faulty(world.ports, crossed.indexOf('events.emit'), fault)
    await Promise.race([world.invoke(through.ports), through.died])
    world.clock.advance(60)
    await world.minutes(7)
    return world.events.emitted.filter(({ detail }) => detail.cause === 'token-at-risk')
  }

  test.each(faults)('%s: is followed by one that tells it under the same key', async (fault) => {
    const told = await telling(fault)
    expect(told.length).toBeGreaterThan(0)
    expect(new Set(told.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1)
  })

  test('of which the lease has run out is not to tell: another run knows better', async () => {
    const world = mdrWorld()
    await world.invoke()
    while (world.clock.now() < world.item().dueAt) world.clock.advance(1)
    world.fake.faults.push('lose')
    const { ledger } = world.ports
    let writes = 0
    await world.invoke({
      ...world.ports,
      ledger: {
        ...ledger,
        // Between its announcement and its telling, another run takes over.
        async write(item) {
          writes++
          if (writes === 3) {
            const stored = world.item()
            await ledger.write({ ...stored, revision: stored.revision + 1, writer: 'another#1' })
          }
          return ledger.write(item)
        },
      },
    })
    expect(writes).toBe(3)
    expect(world.told()).toEqual([])
  })
})

test('a pair that moves from the escrow into a version while a run looks for it is found', async () => {
  const world = mdrWorld()
  // A run that stands still in the middle: its pair is in the escrow, and not yet in the secret.
  let thaw = () => {}
  const thawed = new Promise<void>((resolve) => {
    thaw = resolve
  })
  const { secrets } = world.ports
  const put: typeof secrets.put = async (...args) => {
    await thawed
    return secrets.put(...args)
  }
  const late = world.invoke({ ...world.ports, secrets: { ...secrets, put } })
  await vi.waitFor(() => expect(world.parameters.values.size).toBe(1))
  world.clock.advance(400)

  // Another one looks; before its read of the escrow the first one goes on to its end.
  const looking = interposed(world.ports, async (name, call) => {
    if (name === 'parameters.read') {
      thaw()
      await late
    }
    return call()
  })
  await world.invoke(looking)
  await world.minutes(20)
  expect(world.repeated()).toBe(0)
  expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
})
