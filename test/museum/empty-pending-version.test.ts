import { expect, test } from 'vitest'
import { engine, gate, naive, never, type Scene } from './scene.ts'

/**
 * A version is created under the pending label, to be filled later; the process dies in between. The
 * next run finds the label, believes that the work is done and makes the empty version the current one.
 * Seen with four-step rotation functions, whose steps trust what a former step has left behind.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const dying = gate()
  scene.server.next.push(() => {
    dying.open()
    return never()
  })
  void scene.invoke()
  await dying.opened
  scene.clock.advance(60)
  const unserved = await scene.minutes(60)
  return { scene, unserved }
}

test('the naive rotator promotes a version with nothing in it', async () => {
  const { scene, unserved } = await story(naive({ reservesVersion: true }))
  expect(scene.held().refreshToken).toBeUndefined()
  expect(unserved).toBe(60)
})

test('the engine writes no version before it has a pair to put into it', async () => {
  const { scene, unserved } = await story(engine())
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(unserved).toBe(0)
})
