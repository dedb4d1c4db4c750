import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * Two runs start a third of a second apart and both send the refresh token they read. A server that
 * takes the second sending for theft ends the whole grant. Seen wherever a schedule, a retry and a
 * request handler can refresh the same stored credential.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push(async (serve) => {
    const answer = serve()
    scene.clock.advance(0.3)
    await scene.invoke()
    return answer
  })
  await scene.invoke()
  return scene
}

test('the naive rotator spends one refresh token twice, and the grant is ended', async () => {
  const scene = await story(naive())
  expect(scene.repeated()).toBe(1)
  expect(scene.server.tip()).toBeUndefined()
  expect(scene.isServed()).toBe(false)
})

test('the engine lets the second run find the lease, and spends once', async () => {
  const scene = await story(engine())
  expect(scene.repeated()).toBe(0)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.isServed()).toBe(true)
})
