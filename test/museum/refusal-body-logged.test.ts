import { expect, test } from 'vitest'
import { tracesOf } from '../canaries.ts'
import { engine, naive, reply, type Scene } from './scene.ts'

/**
 * The vendor's refusal quotes the token it refuses, and the whole answer goes into the log, "to help
 * with debugging". Seen in error handlers that print the response, or an error object which carries it.
 *
 * @returns the places where the refresh token, which is still good, can be read
 */
async function story(scene: Scene) {
  await scene.untilDue()
  const token = String(scene.held().refreshToken)
  scene.server.next.push(() =>
    reply(400, { error: 'invalid_grant', error_description: `${token} is busy; try again` }),
  )
  await scene.invoke()
  expect(scene.traces()).not.toBe('')
  return tracesOf([token], scene.traces())
}

test('the naive rotator’s log gives the token away', async () => {
  expect(await story(naive())).not.toEqual([])
})

test('the engine’s outcomes, events and ledger say what happened and quote nothing', async () => {
  expect(await story(engine())).toEqual([])
})
