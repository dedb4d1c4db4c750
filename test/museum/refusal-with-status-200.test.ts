import { expect, test } from 'vitest'
import { engine, naive, reply, type Scene } from './scene.ts'

/**
 * The vendor says no with status 200 and an `error` in the body. Whoever looks at the status alone
 * stores the fields that are not there, and the credential is gone without a line in the log. Seen with
 * vendors whose gateway answers 200 to everything.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push(() => reply(200, { error: 'temporarily_unavailable' }))
  await scene.invoke()
  return scene
}

test('the naive rotator erases its pair, and has nothing to tell', async () => {
  const scene = await story(naive({ tells: true }))
  expect(scene.held().refreshToken).toBeUndefined()
  expect(scene.isServed()).toBe(false)
  expect(scene.told()).toEqual([])
})

test('the engine finds no pair in the answer, destroys nothing, and recovers by itself', async () => {
  const scene = await story(engine())
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(await scene.minutes(60)).toBe(0)
  expect(scene.told()).toEqual(['token-at-risk', 'Token Recovered'])
})
