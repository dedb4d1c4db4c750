import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority } from '../../lib/local/certificate.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { faults } from '../sockets/faults.ts'
import type { Part } from '../sockets/scene.ts'
import { echoes } from './echoes.ts'
import { everyConnection, type WatchedScene, watchedScene } from './scene.ts'

/** Each vendor, grant and way to prove oneself once; a demo more would only ask the same again. */
const asked = everyConnection.filter(
  ({ id }) => !['ftd-demo', 'ksc-demo', 'kics-certificate-demo'].includes(id),
)

/** A connection whose server shows a certificate that is not the one expected. */
function mistrusting(id: string, tls: object): Part {
  const part = everyConnection.find((one) => one.id === id) ?? expect.unreachable(id)
  const configure: Part['demo']['configure'] = (simulator) => ({
    ...part.demo.configure(simulator),
    tls,
  })
  return { id: `${id}-mistrusting`, demo: { ...part.demo, configure } }
}

let at: WatchedScene
let treatments = 0

/** One round: answers are treated while every connection is to obtain a token. */
async function round(treatment: Parameters<WatchedScene['treat']>[0], run?: number) {
  treatments++
  at.treat(treatment)
  await at.tick(run)
  at.treat()
}

beforeAll(async () => {
  const { ca } = await createAuthority('somebody else', new Date())
  at = await watchedScene([
    ...asked,
    mistrusting('mdr-demo', { pins: [`sha256/${Buffer.alloc(32).toString('base64')}`] }),
    mistrusting('kics-certificate-demo', { ca }),
  ])
  for (const echo of Object.values(echoes)) {
    await at.enrollAll()
    await round({ echo })
    // The second step of a login, or the call that proves a new token; then what is used with a pair held.
    await at.enrollAll()
    await round({ echo, skip: 1 })
    await at.rotateAll()
    await round({ echo })
  }
  for (const fault of faults) {
    await at.enrollAll()
    await round({ fault }, fault === 'drip' ? 5 : undefined)
  }
}, 300_000)
afterAll(() => at.close())

test('every vendor was there, and has handed out tokens of its own', () => {
  expect(new Set(at.members.map(({ demo }) => demo.vendor))).toEqual(new Set(Object.keys(vendors)))
  for (const { id } of at.members.filter((one) => !one.id.includes('mistrusting'))) {
    expect(at.known(id).length, id).toBeGreaterThan(0)
  }
})

test('what the stores hold has been seen on the wire', async () => {
  for (const member of at.members) {
    const { accessToken, refreshToken } = JSON.parse((await at.held(member)).split('\n')[0] ?? '')
    const held = [accessToken, refreshToken].filter((token) => token !== undefined)
    expect(at.known(member.id), member.id).toEqual(expect.arrayContaining(held))
  }
})

test('the rounds have met what they were meant to meet', () => {
  // A busy machine gets through fewer of them.
  expect(at.treated()).toBeGreaterThan(treatments)
  const outcomes = at.shown.join('\n')
  for (const met of [
    '"outcome":"rotated"',
    'token-at-risk',
    'enrollment-required',
    'ERR_CONFIG',
    'ERR_TRANSPORT',
    'ERR_RESPONSE',
    'ERR_GRANT_REFUSED',
    'ERR_VERIFY_FAILED',
    'could not reach auth/token',
    'none of the configured pins',
  ]) {
    expect(outcomes.includes(met), met).toBe(true)
  }
})

describe('no credential of any vendor shows', () => {
  test.each([
    'standard output and error',
    'what is returned or thrown',
    'errors and their causes',
    'events',
    'ledger',
  ])('in %s', async (sink) => {
    const text = (await at.sinks())[sink] ?? ''
    expect(text.length).toBeGreaterThan(5000)
    expect(at.search.find(text, sink)).toEqual([])
  })

  test('though the search finds them where they belong', async () => {
    for (const member of at.members) {
      expect(at.search.find(await at.held(member)), member.id).not.toEqual([])
    }
  })
})
