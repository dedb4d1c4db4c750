import { expect, test } from 'vitest'
import { type Chance, chanceOf } from './chance.ts'

const first = (chance: Chance, count = 20) => Array.from({ length: count }, chance.fraction)

test('the same seed gives the same choices', () => {
  expect(first(chanceOf(7))).toEqual(first(chanceOf(7)))
})

test('neighbouring seeds have nothing in common', () => {
  const seen = new Set([0, 1, 2, 3].flatMap((seed) => first(chanceOf(seed))))
  expect(seen.size).toBe(80)
})

test('choices that stand apart are their own, and drawing them changes nothing here', () => {
  const [plain, other] = [chanceOf(7), chanceOf(7)]
  first(other.apart(1), 5)
  expect(first(other)).toEqual(first(plain))
  expect(first(plain.apart(1))).toEqual(first(other.apart(1)))
  expect(first(plain.apart(1))).not.toEqual(first(plain.apart(2)))
})

test('fractions lie from 0 up to 1, and are spread evenly', () => {
  const drawn = first(chanceOf(1), 10_000)
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...drawn)).toBeLessThan(1)
  const mean = drawn.reduce((sum, one) => sum + one, 0) / drawn.length
  expect(mean).toBeGreaterThan(0.48)
  expect(mean).toBeLessThan(0.52)
})

test('whole numbers and picks reach every one of their values, and none besides', () => {
  const chance = chanceOf(3)
  const below = new Set(Array.from({ length: 200 }, () => chance.below(4)))
  expect([...below].toSorted()).toEqual([0, 1, 2, 3])
  const picked = new Set(Array.from({ length: 200 }, () => chance.one(['a', 'b', 'c'])))
  expect([...picked].toSorted()).toEqual(['a', 'b', 'c'])
})

test('what never happens draws nothing, so a kind of trouble that is off leaves the others as they are', () => {
  const [plain, other] = [chanceOf(7), chanceOf(7)]
  expect(other.happens(0)).toBe(false)
  expect(first(other)).toEqual(first(plain))
})
