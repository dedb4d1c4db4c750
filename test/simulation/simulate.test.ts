import { describe, expect, test } from 'vitest'
import { lossNames } from './losses.ts'
import { mutants } from './mutants.ts'
import { shrink } from './shrink.ts'
import { type SimulationOptions, simulate } from './simulate.ts'
import { type Species, species } from './subjects.ts'

const none = Object.fromEntries(lossNames.map((name) => [name, 0]))
const patience = 180_000

async function traceOf(seed: number, options: SimulationOptions): Promise<string[]> {
  const trace: string[] = []
  await simulate(seed, { hours: 3, ...options, trace: (line) => trace.push(line) })
  return trace
}

describe.each(species)('$name', (kind: Species) => {
  const alone = { species: [kind] }

  test('the same seed gives the same trace, to the letter, and another seed another one', async () => {
    const trace = await traceOf(1, alone)
    expect(trace.length).toBeGreaterThan(50)
    expect(await traceOf(1, alone)).toEqual(trace)
    expect(await traceOf(2, alone)).not.toEqual(trace)
  })

  test(
    'nothing is lost, spent twice or told twice, and all comes right in the end',
    async () => {
      let [rotations, faults] = [0, 0]
      for (let seed = 0; seed < 15; seed++) {
        const world = await simulate(seed, alone)
        expect([seed, world.breaches]).toEqual([seed, []])
        rotations += world.rotations
        faults += world.happened.length
      }
      expect(rotations).toBeGreaterThan(100)
      expect(faults).toBeGreaterThan(100)
    },
    patience,
  )
})

test('what is traced does not change the world, nor does the world before it', async () => {
  const alone = await simulate(3, { hours: 2, trace: () => {} })
  await simulate(4, { hours: 2 })
  expect(await simulate(3, { hours: 2 })).toEqual(alone)
})

test(
  'in a calm world there is no trouble, and every token is renewed in time',
  async () => {
    let calm = 0
    for (let seed = 0; seed < 60; seed++) {
      const world = await simulate(seed, { hours: 3 })
      if (world.happened.length > 0) continue
      calm++
      expect(world.losses).toEqual(none)
      expect(world.enrollments).toBe(0)
      expect(world.rotations).toBeGreaterThan(0)
    }
    expect(calm).toBeGreaterThan(2)
  },
  patience,
)

test(
  'a loss is made small: of all the trouble, what it takes',
  async () => {
    const options = { hours: 6, through: mutants.intent, species: species.slice(0, 1) }
    const whole = await firstLoss('doubleSpends', options)
    const { spared, result } = await shrink(whole.seed, 'doubleSpends', options)
    expect(result.losses.doubleSpends).toBeGreaterThan(0)
    expect(whole.happened.length).toBeGreaterThan(20)
    expect(result.happened.length).toBeLessThan(8)
    const again = await simulate(whole.seed, { ...options, spared })
    expect(again.digest).toBe(result.digest)
  },
  patience,
)

async function firstLoss(loss: (typeof lossNames)[number], options: SimulationOptions) {
  for (let seed = 0; ; seed++) {
    const world = await simulate(seed, options)
    if (world.losses[loss] > 0 && world.happened.length > 20) return world
  }
}
