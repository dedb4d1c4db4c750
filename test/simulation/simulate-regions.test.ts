import { expect, test } from 'vitest'
import type { Ports } from '../../lib/core/run.ts'
import { simulate } from './simulate.ts'
import { species } from './subjects.ts'

const chained = species.filter(({ restarts }) => !restarts)
const play = (seed: number, through?: (ports: Ports) => Ports) =>
  simulate(seed, {
    species: chained,
    isTwoRegions: true,
    ...(through === undefined ? {} : { through }),
  })

test('of two regions, one is failed over to and back, and no token is spent twice', async () => {
  let rotations = 0
  for (let seed = 0; seed < 8; seed++) {
    const world = await play(seed)
    expect([seed, world.losses]).toMatchObject([seed, { doubleSpends: 0, leaks: 0 }])
    rotations += world.rotations
  }
  expect(rotations).toBeGreaterThan(50)
})

test('the same seed gives the same world', async () => {
  const [one, other] = [await play(3), await play(3)]
  expect(other).toEqual(one)
  expect((await play(4)).digest).not.toBe(one.digest)
})

test('a region that asks nobody for leave is caught', async () => {
  let doubleSpends = 0
  for (let seed = 0; seed < 40 && doubleSpends === 0; seed++) {
    // It still knows where it is, but thinks itself alone.
    const world = await play(seed, ({ regions, ...ports }) => ({
      ...ports,
      ...(regions === undefined ? {} : { regions: { ...regions, peers: [] } }),
    }))
    doubleSpends += world.losses.doubleSpends
  }
  expect(doubleSpends).toBeGreaterThan(0)
})
