import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * Workloads read the secret that holds the refresh token too, and one of them has a client library that
 * helps itself: it finds a refresh token and refreshes. Two parties now spend one chain. Seen wherever
 * the whole token response is handed to everyone who needs an access token.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  // What such a library does with whatever it is given.
  const body = new URLSearchParams()
  for (const [name, value] of Object.entries(scene.document())) {
    if (/refresh_?token/i.test(name)) body.set('refresh_token', String(value))
  }
  if (body.has('refresh_token')) {
    await scene.server.http().request({
      ...{ name: 'token', method: 'POST', url: 'https://login.example.com/token' },
      ...{ body: body.toString(), timeoutSeconds: 10 },
    })
  }
  await scene.minutes(2)
  return scene
}

test('the naive rotator’s own token is spent by a reader, and the grant is ended', async () => {
  const scene = await story(naive())
  expect(scene.repeated()).toBeGreaterThan(0)
  expect(scene.server.tip()).toBeUndefined()
})

test('the engine gives readers an access token and nothing to spend', async () => {
  const scene = await story(engine())
  expect(JSON.stringify(scene.document())).not.toContain(scene.held().refreshToken)
  expect(scene.repeated()).toBe(0)
  expect(scene.isServed()).toBe(true)
})
