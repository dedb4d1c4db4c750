import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * Thirty connections were set up by one script in one minute, and from then on fall due in one minute:
 * the vendor sees a burst, throttles it, and they fail together. Seen after each restart or migration
 * that renews everything at once.
 *
 * @returns the most renewals that fell into one minute
 */
async function story(perform: (id: string) => Scene) {
  const perMinute = new Map<number, number>()
  for (let n = 0; n < 30; n++) {
    const scene = perform(`crm-${n}`)
    await scene.minutes(1)
    scene.clock.advance(6 * 3600)
    await scene.minutes(4 * 60)
    const second = scene.server.calls[1] as Date
    const minute = Math.floor(second.getTime() / 60_000)
    perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1)
  }
  return Math.max(...perMinute.values())
}

const lifeSeconds = 36_000

test('the naive rotator renews all of them in the same minute', async () => {
  expect(await story((id) => naive({}, { id, lifeSeconds }))).toBe(30)
})

test('the engine spreads them by what their ids say, the same way each time', async () => {
  const most = await story((id) => engine({ id, lifeSeconds }))
  expect(most).toBeLessThanOrEqual(6)
})
