import { expect, test } from 'vitest'
import { TransportError } from '../../lib/core/errors.ts'
import { engine, naive, type Scene } from './scene.ts'

/**
 * Ten seconds seem ample until the vendor has a bad day and takes twenty-five. It answers, to nobody:
 * the caller has hung up, and the new pair is in the answer. Seen with default time-outs of HTTP
 * clients, which were chosen for calls that can be made again.
 */
async function story(scene: Scene) {
  await scene.untilDue()
  scene.server.next.push((serve, { timeoutSeconds }) => {
    const answer = serve()
    scene.clock.advance(Math.min(25, timeoutSeconds))
    if (timeoutSeconds < 25) throw new TransportError('no answer from the vendor', 'maybe')
    return answer
  })
  await scene.invoke()
  return scene
}

test('the naive rotator hangs up before the answer, and the pair is lost', async () => {
  const scene = await story(naive())
  expect(scene.held().refreshToken).not.toBe(scene.server.tip())
  await scene.minutes(2)
  expect(scene.server.tip()).toBeUndefined()
})

test('the engine waits as long as its run can, and has the pair', async () => {
  const scene = await story(engine())
  expect(scene.held().refreshToken).toBe(scene.server.tip())
  expect(scene.told()).toEqual([])
})
