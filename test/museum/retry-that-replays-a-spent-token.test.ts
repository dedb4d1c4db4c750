import { expect, test } from 'vitest'
import { answerLost, engine, naive, type Scene } from './scene.ts'

/**
 * The answer is lost after the vendor has done its work. The HTTP client retries, as HTTP clients do,
 * and so replays a token that is spent: the server ends the grant, and the access token that still
 * worked ends with it. Seen with retry middleware that knows nothing of what a call uses up.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push(answerLost)
  await scene.invoke()
  return scene
}

test('the naive rotator replays the token at once, and the living access token dies', async () => {
  const scene = await story(naive({ tries: 3 }))
  expect(scene.repeated()).toBeGreaterThan(0)
  expect(scene.isServed()).toBe(false)
})

test('the engine does not repeat: workloads keep a living token, and a person has time', async () => {
  const scene = await story(engine())
  expect(scene.repeated()).toBe(0)
  expect(scene.isServed()).toBe(true)
  expect(scene.told()).toEqual(['token-at-risk'])
})
