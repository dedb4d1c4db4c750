import { beforeAll, describe, expect, test } from 'vitest'
import { type Comparison, compare, contenders } from './compare.ts'
import { perMillion } from './compare-command.ts'
import type { ContenderKind } from './peers/contender.ts'
import { noFigures } from './peers/judge.ts'
import { ours } from './peers/ours.ts'
import { play } from './peers/world.ts'

const models = contenders.filter(({ id }) => id !== 'ours')

describe('beside models of how others do it, under the same faults,', () => {
  let figures: Comparison
  beforeAll(async () => {
    figures = await compare(5, 9)
  }, 60_000)

  test('the engine spends nothing twice and loses no pair that it had', () => {
    expect(figures.ours).toMatchObject({ doubleSpends: 0, lostPairs: 0 })
  })

  test.each(models)('$title: loses something, or spends twice', ({ id }) => {
    const { losses = 0, doubleSpends = 0 } = figures[id] ?? {}
    expect(losses + doubleSpends).toBeGreaterThan(0)
  })

  test('each of them serves its readers most of the time: none is a straw man', () => {
    // Nine worlds of twenty hours, calm ones and bad ones; tokens live for half an hour or an hour.
    for (const { id } of contenders) {
      const { rotations = 0, staleReads = Number.NaN } = figures[id] ?? {}
      expect(rotations).toBeGreaterThan(200)
      expect(staleReads / (9 * 20 * 60)).toBeLessThan(0.2)
    }
  })
})

test('the same seeds give the same figures and the same traces', async () => {
  const once = await compare(13, 1)
  expect(await compare(13, 1)).toEqual(once)
  const digests = contenders.map(({ id }) => once[id]?.digest)
  expect(new Set(digests).size).toBeGreaterThan(1)
})

test('figures are given by the million rotations', () => {
  const figures = { ...noFigures(), rotations: 500_000, staleReads: 3, digest: 1 }
  expect(perMillion({ one: figures }).one).toMatchObject({ rotations: 500_000, staleReads: 6 })
})

describe('the judge sees', () => {
  /** A world in which the model needs a person although something of its own had the pair. */
  test.each([
    ['lastWriteWins', 31],
    ['shortLease', 124],
    ['unownedLock', 124],
    ['rowLock', 51],
    ['grantThenPending', 38],
  ])('a loss of %s in the world of seed %i', async (id, seed) => {
    const model = contenders.find((kind) => kind.id === id) as ContenderKind
    expect((await play(seed, model)).losses).toBeGreaterThan(0)
  })

  test('double spends of an engine whose ledger forgets what was sent', async () => {
    const forgetful: ContenderKind = {
      ...ours,
      settle(site) {
        const engine = ours.settle(site)
        return {
          ...engine,
          tick: ({ process, ports }) => {
            const { ledger } = ports
            const write: typeof ledger.write = ({ intent: _, ...item }) =>
              ledger.write({ ...item, spent: [] })
            return engine.tick({ process, ports: { ...ports, ledger: { ...ledger, write } } })
          },
        }
      },
    }
    expect((await play(2, forgetful)).doubleSpends).toBeGreaterThan(0)
    expect((await play(2, ours)).doubleSpends).toBe(0)
  })
})
