import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The schedule says hourly and the token lives half an hour: for half of each hour there is none. Seen
 * where the schedule was written for one vendor and copied to another, or where the vendor shortened
 * its tokens one day.
 *
 * @returns in how many of a day's minutes workloads had no living token
 */
async function story(scene: Scene, everyMinutes: number) {
  let unserved = 0
  for (let minute = 0; minute < 24 * 60; minute++) {
    if (minute % everyMinutes === 0) await scene.invoke()
    if (!scene.isServed()) unserved++
    scene.clock.advance(60)
  }
  return unserved
}

const lifeSeconds = 1800

test('the naive rotator, run once an hour, leaves workloads without a token half of the day', async () => {
  expect(await story(naive({}, { lifeSeconds }), 60)).toBe(12 * 60)
})

test('the engine ticks each minute and takes the due time from the token, so every minute is served', async () => {
  expect(await story(engine({ lifeSeconds }), 1)).toBe(0)
})
