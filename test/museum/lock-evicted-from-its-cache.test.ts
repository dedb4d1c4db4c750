import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The lock is in a cache, the cache runs full or restarts, and the lock is gone while its holder waits
 * for the vendor. The next run takes it anew and spends the same token. Seen where the one thing that
 * keeps two runs apart is kept in memory that may be dropped.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push(async (serve) => {
    const answer = serve()
    scene.forget()
    await scene.invoke()
    return answer
  })
  await scene.invoke()
  scene.clock.advance(60)
  await scene.minutes(5)
  return scene
}

test('the naive rotator has nothing but its lock, and spends the token twice', async () => {
  const scene = await story(naive({ lockSeconds: 300 }))
  expect(scene.repeated()).toBe(1)
  expect(scene.isServed()).toBe(false)
})

test('the engine sees that its ledger knows too little, sends nothing, and adopts the pair', async () => {
  const scene = await story(engine())
  expect(scene.repeated()).toBe(0)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.isServed()).toBe(true)
})
