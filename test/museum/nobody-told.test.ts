import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The refresh token dies on a Friday; the log has a line about it, and people learn of it on Monday
 * from what no longer works. Seen wherever failure is a line at level "warning" in a log nobody reads.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.authorize('known-to-nobody')
  await scene.minutes(5)
  return scene
}

test('the naive rotator has failed, and told no one', async () => {
  const scene = await story(naive())
  expect(scene.traces()).toContain('refresh failed')
  expect(scene.told()).toEqual([])
})

test('the engine tells at once that a person is needed, while workloads are still served', async () => {
  const scene = await story(engine())
  expect(scene.told()).toEqual(['enrollment-required'])
  expect(scene.isServed()).toBe(true)
})
