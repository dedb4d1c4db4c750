import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * Somebody restores yesterday's version of the secret, as one does when something looks wrong. Its
 * refresh token was spent long ago; sending it again ends the grant that was in perfect order. Seen
 * after roll-backs and restored backups of token stores.
 *
 * @returns in how many of the next three hours' minutes workloads had no living token
 */
async function story(scene: Scene) {
  const first = (await scene.secrets.currentId(scene.secretId)) as string
  await scene.minutes(3 * 60)
  scene.secrets.label(scene.secretId, first)
  return scene.minutes(3 * 60)
}

test('the naive rotator sends the restored token, and the grant is ended', async () => {
  const scene = naive()
  expect(await story(scene)).toBeGreaterThan(120)
  expect(scene.repeated()).toBeGreaterThan(0)
})

test('the engine knows what it has sent, and goes on with the newest pair', async () => {
  const scene = engine()
  expect(await story(scene)).toBe(0)
  expect(scene.repeated()).toBe(0)
})
