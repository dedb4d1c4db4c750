import { describe, expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import { openLedger } from '../../lib/core/lease.ts'
import type { Ports } from '../../lib/core/run.ts'
import { kscWorld, mdrWorld } from './world.ts'

type World = ReturnType<typeof mdrWorld>

/** A ledger some of whose writes take effect without an answer. @param isLost told of each write, counted from 1 */
function deaf(world: World, isLost: (write: number) => boolean): Ports['ledger'] {
  let writes = 0
  return {
    ...world.ledger,
    async write(item) {
      const result = await world.ledger.write(item)
      if (isLost(++writes)) throw new StoreError('the table did not answer', 'retry')
      return result
    },
  }
}

const open = (world: World, ledger: Ports['ledger'], runId = 'run-a') => {
  const { connection, ports } = world
  return openLedger({ connection, runId, remainingSeconds: () => 300 }, { ...ports, ledger })
}

describe('a write of the ledger whose answer was lost', () => {
  test('is followed by the next one of the same run', async () => {
    const world = mdrWorld()
    // The third write only finds the second; the fourth takes effect on top of it, unanswered as well.
    const mine = await open(
      world,
      deaf(world, (write) => write === 2 || write === 4),
    )
    const step = (name: string) => mine?.commit((item) => ({ ...item, facts: { name } }))
    await expect(step('one')).rejects.toMatchObject({ code: 'ERR_STORE' })
    await expect(step('two')).rejects.toMatchObject({ code: 'ERR_STORE' })
    await step('three')
    expect(world.item()).toMatchObject({ facts: { name: 'three' }, revision: 4 })
  })

  test('does not hide the write of another run', async () => {
    const world = mdrWorld()
    const mine = await open(
      world,
      deaf(world, (write) => write === 2),
    )
    await expect(mine?.commit()).rejects.toMatchObject({ code: 'ERR_STORE' })
    world.clock.advance(120)
    await open(world, world.ledger, 'run-b')
    await expect(mine?.commit()).rejects.toMatchObject({ code: 'ERR_LEASE_HELD' })
    expect(world.item().lease?.runId).toBe('run-b')
  })
})

describe('a ledger that answers late', () => {
  test('does not keep an announced token from being sent in the same run', async () => {
    const world = mdrWorld()
    const ledger = deaf(world, (write) => write > 1 && write < 5)
    expect(await world.invoke({ ...world.ports, ledger })).toMatchObject({ outcome: 'rotated' })
    expect(world.repeated()).toBe(0)
    expect(world.told()).toEqual([])
  })

  test('that answers nothing at all leaves no doubt about a token that was not sent', async () => {
    const world = mdrWorld()
    const { clock } = world
    // Past the time in which a grant may still be sent.
    const gaveUp = clock.now().getTime() + 225_000
    const ledger = deaf(world, (write) => write > 1 && clock.now().getTime() < gaveUp)
    await world.invoke({ ...world.ports, ledger })
    expect(world.item().intent).toBeUndefined()
    expect(world.item().spent).toEqual([])
  })

  test('still learns that a login was refused, so that it is not tried again', async () => {
    const world = kscWorld()
    world.enroll({ username: 'openapi', password: 'made-up-2' })
    let writes = 0
    const ledger: Ports['ledger'] = {
      ...world.ledger,
      async write(item) {
        if (++writes > 1 && writes < 6) throw new StoreError('the table did not answer', 'retry')
        return world.ledger.write(item)
      },
    }
    await world.invoke({ ...world.ports, ledger })
    await world.minutes(30)
    expect(world.fake.state.attempts).toBe(1)
  })
})
