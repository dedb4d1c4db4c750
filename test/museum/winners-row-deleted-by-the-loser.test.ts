import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * While a run is at the vendor, a person authorizes anew and stores the new token. The run's own token
 * is refused, of course, and it clears the row it was refused for: the person's. Seen in sign-in
 * libraries that delete a session by its key when a refresh is refused.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push((serve) => {
    scene.server.authorize('refresh-token-9-by-hand')
    scene.store('refresh-token-9-by-hand')
    return serve()
  })
  await scene.minutes(5)
  return scene
}

test('the naive rotator deletes the token that the person has just stored', async () => {
  const scene = await story(naive({ onRefusal: 'erase' }))
  expect(scene.held().refreshToken).toBeUndefined()
  expect(scene.isServed()).toBe(false)
})

test('the engine reads the store again before it gives up, and uses the new token', async () => {
  const scene = await story(engine())
  expect(scene.server.presented.get('refresh-token-9-by-hand')).toBe(1)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.isServed()).toBe(true)
  expect(scene.told()).toEqual([])
})
