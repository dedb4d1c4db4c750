import { expect, test } from 'vitest'
import { engine, firstToken, naive, type Scene } from './scene.ts'

/**
 * The server keeps the refresh token in use and does not repeat it in its reply, as RFC 6749, section 6
 * allows. The missing field is stored as it came, over the token that was good. Seen each time an
 * answer is copied into a record field by field.
 *
 * @returns in how many of six hours' minutes workloads had no living token
 */
async function story(scene: Scene) {
  scene.server.state.dress = ({ refresh_token: _, ...body }) => {
    scene.server.authorize(firstToken)
    return body
  }
  return scene.minutes(6 * 60)
}

const options = { endsGrantOnReuse: false }

test('the naive rotator erases its only refresh token at the first reply', async () => {
  const scene = naive({}, options)
  expect(await story(scene)).toBeGreaterThan(4 * 60)
  expect(scene.held().refreshToken).toBeUndefined()
})

test('the engine keeps the one it has, and goes on with it', async () => {
  const scene = engine(options)
  expect(await story(scene)).toBe(0)
  expect(scene.held().refreshToken).toBe(firstToken)
})
