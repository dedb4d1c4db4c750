import { expect, test } from 'vitest'
import { engine, naive, requestLost, type Scene } from './scene.ts'

/**
 * No answer comes, and the credential is written off: "refresh failed". The request never got to the
 * vendor, and the token would still have been taken. Seen where every exception ends in the same
 * `catch`, which marks the connection as broken and asks the user to sign in.
 *
 * @returns in how many of the next three hours' minutes workloads had no living token
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push(requestLost)
  return scene.minutes(180)
}

test('the naive rotator writes a good credential off, and workloads go without', async () => {
  const scene = naive({ onSilence: 'mark-dead' })
  expect(await story(scene)).toBeGreaterThan(120)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
})

test('the engine sends the token just once more before its time is up, and recovers by itself', async () => {
  const scene = engine()
  expect(await story(scene)).toBe(0)
  expect(scene.repeated()).toBe(0)
  expect(scene.told()).toEqual(['token-at-risk', 'Token Recovered'])
})
