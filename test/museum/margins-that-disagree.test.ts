import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * Workloads refuse a token with less than five minutes left, and the rotator renews it with one minute
 * left: four minutes of each hour belong to nobody. Seen where a client library brings a margin of its
 * own that the issuer of its tokens has never heard of.
 *
 * @returns in how many of a day's minutes a workload with that rule had no token it would use
 */
async function story(scene: Scene) {
  let refused = 0
  for (let minute = 0; minute < 24 * 60; minute++) {
    await scene.invoke()
    if (scene.servedUntil() - scene.clock.now().getTime() < 5 * 60_000) refused++
    scene.clock.advance(60)
  }
  return refused
}

test('the naive rotator leaves a gap in every hour', async () => {
  expect(await story(naive({ marginSeconds: 60 }))).toBeGreaterThan(60)
})

test('the engine’s margin is a quarter of the life, and every read is good for minutes', async () => {
  expect(await story(engine())).toBe(0)
})
