import { expect, test } from 'vitest'
import { engine, naive, type Scene } from './scene.ts'

/**
 * The lock lasts a minute because that is what locks last, and the vendor takes two. The next
 * run finds the lock free while the first still waits, and sends the same token. Seen with caches and
 * message queues whose lock or visibility time was never compared with the slowest call under it.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push(async (serve) => {
    const answer = serve()
    scene.clock.advance(120)
    await scene.invoke()
    return answer
  })
  await scene.invoke()
  return scene
}

test('the naive rotator loses its lock while it waits, and the token is sent twice', async () => {
  const scene = await story(naive({ lockSeconds: 60, timeoutSeconds: 300 }))
  expect(scene.repeated()).toBe(1)
  expect(scene.isServed()).toBe(false)
})

test('the engine makes its lease outlast the function before it sends anything', async () => {
  const scene = await story(engine())
  expect(scene.repeated()).toBe(0)
  // Nor is a run that only takes its time held for a lost one.
  expect(scene.told()).toEqual([])
  expect(scene.isServed()).toBe(true)
})
