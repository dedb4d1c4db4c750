import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The new access token does not work: its key has not reached the vendor's other servers, or its scope
 * is gone. It replaces one that worked, and everybody fails at once. Seen where "the vendor gave it" is
 * taken for "the vendor takes it".
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const { state } = scene.server
  state.dress = (body) => ({ ...body, access_token: 'access-token-of-a-wrong-key' })
  await scene.invoke()
  return scene
}

test('the naive rotator replaces a token that works by one that does not', async () => {
  expect((await story(naive())).isServed()).toBe(false)
})

test('the engine tries it first, keeps the pair, and leaves workloads the one that works', async () => {
  const scene = await story(engine())
  expect(scene.isServed()).toBe(true)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.told()).toEqual(['verify-failed'])
})
