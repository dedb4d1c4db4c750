import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The reply has no `expires_in`, which RFC 6749 only recommends. The end of the token becomes not a
 * number, is stored as null and read as 1970: due at every look. Seen with several vendors whose reply
 * leaves out what their documentation states.
 *
 * @returns how many grants were asked for within two hours
 */
async function story(scene: Scene) {
  scene.server.state.dress = ({ expires_in: _, ...body }) => body
  expect(await scene.minutes(120)).toBe(0)
  return scene.server.calls.length
}

test('the naive rotator spends a refresh token every minute', async () => {
  expect(await story(naive())).toBe(120)
})

test('the engine takes the configured life, and renews three times in two hours', async () => {
  expect(await story(engine())).toBe(3)
})
