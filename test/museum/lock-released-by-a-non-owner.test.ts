import { expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import { engine, naive, type Scene, stalled } from './scene.ts'

/**
 * A run is frozen until its lock has run out and another holds it; then it fails, and on its way out it
 * unlocks. What it unlocks is the other's lock, and a third run walks in. Seen with every lock that is
 * deleted by name instead of by name and owner.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const { ports, reached, go } = stalled(scene)
  const read = async (...args: Parameters<typeof ports.secrets.read>) => {
    await ports.secrets.read(...args)
    throw new StoreError('GetSecretValue failed with InternalServiceError', 'retry')
  }
  const frozen = scene.invoke({ ...ports, secrets: { ...ports.secrets, read } })
  await reached
  scene.clock.advance(400)
  scene.server.next.push(async (serve) => {
    const answer = serve()
    go()
    await frozen
    scene.clock.advance(120)
    await scene.invoke()
    return answer
  })
  await scene.invoke()
  return scene
}

test('the naive rotator unlocks what another holds, and a third run spends the same token', async () => {
  const scene = await story(naive({ lockSeconds: 300 }))
  expect(scene.repeated()).toBe(1)
  expect(scene.isServed()).toBe(false)
})

test('the engine releases only its own lease, so the third run finds it taken', async () => {
  const scene = await story(engine())
  expect(scene.repeated()).toBe(0)
  expect(scene.isServed()).toBe(true)
})
