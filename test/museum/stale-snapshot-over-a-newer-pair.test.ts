import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * A run writes what it knew when it began. Between its answer and its write a person has stored a token
 * of a new authorization, which ended the old one: the newer is overwritten by the older. Seen where a
 * whole record is read, changed and put back without asking whether it is still the same.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push((serve) => {
    const answer = serve()
    scene.server.authorize('refresh-token-9-by-hand')
    scene.store('refresh-token-9-by-hand')
    return answer
  })
  await scene.minutes(90)
  return scene
}

test('the naive rotator overwrites the newer token, and is refused with the older one', async () => {
  const scene = await story(naive())
  expect(scene.server.presented.has('refresh-token-9-by-hand')).toBe(false)
  expect(scene.isServed()).toBe(false)
})

test('the engine moves the label only from the version it read, so the newer token stays and is used', async () => {
  const scene = await story(engine())
  expect(scene.server.presented.get('refresh-token-9-by-hand')).toBe(1)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.isServed()).toBe(true)
})
