import { expect, test } from 'vitest'
import { engine, naive, reply, type Scene } from './scene.ts'

/**
 * A proxy in between answers 200 with empty fields, and the empty text is stored over a token that had
 * a quarter of an hour to live. Seen where "there is a key" counts as "there is a value".
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const nothing = { access_token: '', refresh_token: '', expires_in: 3600, token_type: 'Bearer' }
  scene.server.next.push(() => reply(200, nothing))
  await scene.invoke()
  return scene
}

test('the naive rotator writes nothing over something', async () => {
  const scene = await story(naive())
  expect(scene.document()).toMatchObject({ accessToken: '', refreshToken: '' })
  expect(scene.isServed()).toBe(false)
})

test('the engine takes no empty token, and keeps what it holds and what it serves', async () => {
  const scene = await story(engine())
  expect(scene.isServed()).toBe(true)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(await scene.minutes(60)).toBe(0)
})
