import { expect, test } from 'vitest'
import { engine, gate, naive, never, type Scene } from './scene.ts'

/**
 * A note says that a token is being spent, and is taken away when the answer comes, a moment before the
 * pair is stored. The process dies within that moment: nothing tells the next run that the stored token
 * is spent, and it sends it. Seen where the note was written with the call in mind and not the pair.
 *
 * @returns in how many of the minutes until the old token's last ones workloads had no living token
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const dying = gate()
  let isDead = false
  const { ports } = scene
  const mortal =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (!isDead) return call(...args)
      dying.open()
      return never()
    }
  scene.server.next.push((serve) => {
    isDead = true
    return serve()
  })
  void scene.invoke({
    ...ports,
    secrets: { ...scene.secrets, put: mortal(scene.secrets.put) },
    ledger: { ...ports.ledger, write: mortal(ports.ledger.write) },
    parameters: { ...ports.parameters, write: mortal(ports.parameters.write) },
  })
  await dying.opened
  // The lease of the dead run has just ended.
  scene.clock.advance(331)
  return scene.minutes(2)
}

test('the naive rotator has nothing to warn its next run, which ends the grant', async () => {
  const scene = naive({ leavesNote: true })
  expect(await story(scene)).toBe(2)
  expect(scene.repeated()).toBeGreaterThan(0)
})

test('the engine’s intent outlives the run until a pair is stored, so the token is not sent blindly', async () => {
  const scene = engine()
  expect(await story(scene)).toBe(0)
  expect(scene.repeated()).toBe(0)
  expect(scene.told()).toEqual(['token-at-risk'])
})
