import { expect, test } from 'vitest'
import { engine, naive, type Scene, stalled } from './scene.ts'

/**
 * A run that stood still sends a token which another has spent meanwhile, is refused, and marks the
 * credential as dead: the very credential that the other has just renewed. Seen in job queues where a
 * late worker's failure is written over a punctual worker's success.
 *
 * @returns in how many of the next three hours' minutes workloads had no living token
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const { ports, reached, go } = stalled(scene)
  const late = scene.invoke(ports)
  await reached
  scene.clock.advance(100)
  await scene.invoke()
  go()
  await late
  return scene.minutes(180)
}

test('the naive rotator declares a healthy credential dead, and never renews it again', async () => {
  const scene = naive({ onRefusal: 'mark-dead' }, { endsGrantOnReuse: false })
  expect(await story(scene)).toBeGreaterThan(60)
  expect(scene.server.tip()).toBeDefined()
  expect(scene.held().isDead).toBe(true)
})

test('the engine’s late run finds what the other has done before it sends anything, and steps aside', async () => {
  const scene = engine({ endsGrantOnReuse: false })
  expect(await story(scene)).toBe(0)
  expect(scene.repeated()).toBe(0)
})
