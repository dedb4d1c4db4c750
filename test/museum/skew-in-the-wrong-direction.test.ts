import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * A minute is allowed for clocks that differ, and added where it should have been taken away: each
 * token is used for a minute after its end. Seen in caches whose check reads "expired if now is later
 * than the end plus the skew".
 */
const story = (scene: Scene) => scene.minutes(24 * 60)

test('the naive rotator serves a dead token at the end of every life', async () => {
  expect(await story(naive({ marginSeconds: -60 }))).toBeGreaterThan(20)
})

test('the engine renews a margin before the end, so no minute of the day is unserved', async () => {
  expect(await story(engine())).toBe(0)
})
