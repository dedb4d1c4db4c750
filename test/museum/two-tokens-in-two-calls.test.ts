import { expect, test } from 'vitest'
import { engine, naive, type Scene, throttled, writing } from './scene.ts'

/**
 * The access token is stored by one call and the refresh token by another, and the second fails. All
 * looks well for an hour; then a spent token is sent. Seen where each of the two has a row, a variable
 * or a parameter of its own.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  let writes = 0
  const second = writing(scene, (...args) =>
    ++writes === 2 ? throttled() : scene.secrets.put(...args),
  )
  await scene.invoke(second)
  scene.clock.advance(60)
  await scene.minutes(90)
  return scene
}

test('the naive rotator is left with a new access token and a spent refresh token', async () => {
  const scene = await story(naive({ writesTwice: true }))
  expect(scene.repeated()).toBeGreaterThan(0)
  expect(scene.isServed()).toBe(false)
})

test('the engine stores a pair as one document, and what fails after that is made good', async () => {
  const scene = await story(engine())
  expect(scene.repeated()).toBe(0)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.isServed()).toBe(true)
})
