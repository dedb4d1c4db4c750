import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The grant was revoked. The refusal is final, and is asked for again each minute until the vendor
 * throttles the address or locks the account. Seen in nearly every scheduled job that treats "no" like
 * "not now".
 *
 * @returns how often the dead token was sent within a day
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.authorize('known-to-nobody')
  const before = scene.server.calls.length
  await scene.minutes(24 * 60)
  return scene.server.calls.length - before
}

test('the naive rotator sends a dead token every minute of the day', async () => {
  expect(await story(naive({}, { endsGrantOnReuse: false }))).toBe(24 * 60)
})

test('the engine sends it once, and never again until a person has changed it', async () => {
  expect(await story(engine({ endsGrantOnReuse: false }))).toBe(1)
})
