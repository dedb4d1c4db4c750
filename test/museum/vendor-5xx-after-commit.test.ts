import { expect, test } from 'vitest'
import { engine, naive, reply, type Scene } from './scene.ts'

/**
 * A gateway answers 502 although the server behind it has spent the token. A status of 500 and more is
 * read as "nothing happened", and the token is sent again a minute later. Seen behind load balancers
 * that give up a moment before the vendor is done.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push((serve) => {
    serve()
    return reply(502, undefined)
  })
  await scene.minutes(4)
  return scene
}

test('the naive rotator takes 502 for “not done”, and ends the grant by asking again', async () => {
  const scene = await story(naive())
  expect(scene.repeated()).toBeGreaterThan(0)
  expect(scene.isServed()).toBe(false)
})

test('the engine holds the token to be in doubt, says so once and serves on', async () => {
  const scene = await story(engine())
  expect(scene.repeated()).toBe(0)
  expect(scene.isServed()).toBe(true)
  expect(scene.told()).toEqual(['token-at-risk'])
})
