import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * A credential is dead. One person enrolls a new one; another, called by the same alarm, restores the
 * version of an hour ago over it before it was ever used. The new token stands in a version without a
 * label that nobody looks at, and both believe that the other one's remedy has not helped. The
 * simulation found it (seed 4565).
 *
 * @returns in how many of the next three hours' minutes workloads had no living token
 */
async function story(scene: Scene) {
  await scene.minutes(60)
  const older = (await scene.secrets.currentId(scene.secretId)) as string
  await scene.minutes(60)
  scene.server.authorize('refresh-token-of-a-new-grant')
  await scene.enroll('refresh-token-of-a-new-grant')
  scene.secrets.label(scene.secretId, older)
  return scene.minutes(3 * 60)
}

test('the naive rotator goes on with what was restored, and the new grant is ended for it', async () => {
  const scene = naive()
  expect(await story(scene)).toBeGreaterThan(120)
  expect(scene.server.tip()).toBeUndefined()
})

test('the engine knows what was enrolled, and that the restored one is used up', async () => {
  const scene = engine()
  expect(await story(scene)).toBe(0)
  expect(scene.repeated()).toBe(0)
})
