import { expect, test } from 'vitest'
import { engine, naive, type Scene, throttled, writing } from './scene.ts'

/**
 * The vendor has given a new pair and the secret store is throttling: the write fails, and the only
 * usable refresh token in the world goes with the process. Seen wherever the grant is made first and
 * the store is thought of as something that answers.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  await scene.invoke(writing(scene, throttled))
  scene.clock.advance(60)
  await scene.minutes(5)
  return scene
}

test('the naive rotator loses the pair, replays the old token and loses the grant', async () => {
  const scene = await story(naive())
  expect(scene.repeated()).toBeGreaterThan(0)
  expect(scene.server.tip()).toBeUndefined()
})

test('the engine puts the pair into its second home, and brings it back at the next tick', async () => {
  const scene = await story(engine())
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.repeated()).toBe(0)
  expect(scene.isServed()).toBe(true)
})
