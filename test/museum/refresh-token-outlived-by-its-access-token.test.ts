import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The access token lives for a week and the refresh token for a day. Nobody looks at the second
 * deadline; when the first one comes, there is nothing left to renew with. Seen with vendors whose
 * lifetimes are set apart by an administrator.
 *
 * @returns in how many hours of a fortnight workloads had no living token
 */
async function story(scene: Scene) {
  let unserved = 0
  for (let hour = 0; hour < 14 * 24; hour++) {
    unserved += await scene.minutes(1)
    scene.clock.advance(3540)
  }
  return unserved
}

const options = { lifeSeconds: 604_800, refreshLifeSeconds: 86_400 }

test('the naive rotator comes back after a week to a refresh token that is long dead', async () => {
  expect(await story(naive({}, options))).toBeGreaterThan(6 * 24)
})

test('the engine renews before whichever of the two ends first', async () => {
  expect(await story(engine(options))).toBe(0)
})
