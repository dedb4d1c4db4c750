import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The schedule fails each minute and pages each minute. By breakfast there are five hundred messages,
 * the rule is muted, and with it the next incident. Seen where the alarm is a line beside the `catch`.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.authorize('known-to-nobody')
  await scene.minutes(8 * 60)
  return scene
}

test('the naive rotator pages a person once a minute, all night', async () => {
  const scene = await story(naive({ tells: true }))
  expect(scene.told()).toHaveLength(8 * 60)
})

test('the engine tells each cause once: first what to do, then that workloads begin to suffer', async () => {
  const scene = await story(engine())
  expect(scene.told()).toEqual(['enrollment-required', 'freshness-at-risk'])
})
