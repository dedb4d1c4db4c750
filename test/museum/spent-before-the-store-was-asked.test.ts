import { expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import { engine, naive, type Scene, writing } from './scene.ts'

/**
 * The store will not take another version today, which was there to be known. The vendor is asked
 * first all the same, and a token is spent for a pair that has no place. Seen in rotations that change
 * the outside before they have looked at home.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  // A day's versions are used up: a hundred in Secrets Manager, and as many in the ledger's count.
  const item = await scene.ports.ledger.read('oauth2', 'crm')
  if (item !== undefined) {
    const enrollmentWrites = Array.from({ length: 100 }, () => scene.clock.now())
    await scene.ports.ledger.write({ ...item, revision: item.revision + 1, enrollmentWrites })
  }
  const before = scene.server.calls.length
  await scene.invoke(
    writing(scene, async () => {
      throw new StoreError('PutSecretValue failed with LimitExceededException', 'limit')
    }),
  )
  return { scene, spent: scene.server.calls.length - before }
}

test('the naive rotator spends its token, and has nowhere to put what it gets', async () => {
  const { scene, spent } = await story(naive())
  expect(spent).toBe(1)
  expect(scene.held().refreshToken).not.toBe(scene.server.tip())
})

test('the engine counts its versions before it spends, and tells why it waits', async () => {
  const { scene, spent } = await story(engine())
  expect(spent).toBe(0)
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.told()).toEqual(['version-budget'])
})
