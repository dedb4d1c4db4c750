import { expect, test } from 'vitest'
import type { Ports } from '../../lib/core/run.ts'
import { twoRegions } from '../core/two-regions.ts'
import { rotateNaively } from './naive.ts'
import { naive, type Scene } from './scene.ts'

/**
 * The primary region goes away and its standby's replica of the secret is promoted. When the primary
 * comes back it still has its own copy, its own lock table and its own schedule: both regions renew the
 * same chain, and whoever comes second spends what the other has spent already. Replication has no fence,
 * so every disaster drill of such a rotator ends in the vendor's console.
 */
const minutesTogether = 3 * 60

/** A second region of the naive rotator: a copy of the secret as it was, and the same server. */
function promoted(scene: Scene) {
  const text = JSON.stringify(scene.held())
  const versions = [{ versionId: 'promoted', text }]
  const secrets: Ports['secrets'] = {
    ...scene.secrets,
    read: async () => versions.at(-1),
    async put(_secretId, version) {
      versions.push(version)
      return 'stored'
    },
  }
  const state = { versions: 0, pages: [], log: [] }
  const { clock, server, secretId } = scene
  return () => rotateNaively(secretId, state, {}, { secrets, http: server.http(), now: clock.now })
}

test('the naive rotator runs in both regions, and the grant is ended', async () => {
  const scene = naive()
  await scene.minutes(10)
  const inTheOther = promoted(scene)
  let unserved = 0
  for (let minute = 0; minute < minutesTogether; minute++) {
    await inTheOther()
    unserved += await scene.minutes(1)
  }
  expect(scene.repeated()).toBeGreaterThan(0)
  expect(unserved).toBeGreaterThan(60)
})

test('the engine asks for leave, is told that another region has taken over, and stands by', async () => {
  const { minutes, home, away, cut, promote, fake, repeated } = twoRegions()
  await minutes(10)
  cut.home = true
  promote()
  await away.takeOver()
  await minutes(60, ['away'])
  cut.home = false
  const together = await minutes(minutesTogether)
  expect(together).not.toContain('home rotated')
  expect(repeated()).toBe(0)
  expect(fake.isAlive(away.published() ?? '')).toBe(true)
  expect(home.told()).toEqual(['stood-down'])
})
