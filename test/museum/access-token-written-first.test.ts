import { expect, test } from 'vitest'
import { engine, gate, naive, never, type Scene, writing } from './scene.ts'

/**
 * What workloads wait for is written first, and the process is killed right after its first write. The
 * token that could be had again is safe; the one that could not is gone. Seen wherever the order of
 * two writes was a matter of taste.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const dying = gate()
  let isDead = false
  const dies = writing(scene, async (...args) => {
    if (isDead) return never()
    isDead = true
    await scene.secrets.put(...args)
    dying.open()
    return never()
  })
  const { parameters } = scene.ports
  const write = async (...args: Parameters<typeof parameters.write>) =>
    isDead ? never() : parameters.write(...args)
  void scene.invoke({ ...dies, parameters: { ...parameters, write } })
  await dying.opened
  scene.clock.advance(400)
  await scene.minutes(90)
  return scene
}

test('the naive rotator has saved what can be had again, and lost what cannot', async () => {
  const scene = await story(naive({ writesTwice: true }))
  expect(scene.repeated()).toBeGreaterThan(0)
  expect(scene.server.tip()).toBeUndefined()
})

test('the engine stores the pair before anything else, and its successor carries on from there', async () => {
  const scene = await story(engine())
  expect(scene.repeated()).toBe(0)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.isServed()).toBe(true)
})
