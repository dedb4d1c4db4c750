import { expect, test } from 'vitest'
import { engine, gate, naive, never, type Scene } from './scene.ts'

/**
 * The process is killed with the lock in its hand, and the lock has no end: from then on every run
 * steps aside for a dead one. Seen with lock files and lock rows that only a `finally` removes.
 *
 * @returns in how many of the next two hours' minutes workloads had no living token
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const dying = gate()
  scene.server.next.push(() => {
    dying.open()
    return never()
  })
  void scene.invoke()
  await dying.opened
  scene.clock.advance(60)
  return scene.minutes(120)
}

test('the naive rotator never runs again, and workloads go without', async () => {
  expect(await story(naive({ lockSeconds: Number.POSITIVE_INFINITY }))).toBeGreaterThan(60)
})

test('the engine’s lease ends by itself, and every minute is served', async () => {
  expect(await story(engine())).toBe(0)
})
