import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Crossing, interposed } from './crash.ts'
import { oauth2Client } from './fake-oauth2.ts'
import { oauth2World } from './world.ts'

test('a refresh token that its server hands back is good, although two runs in each other’s way both sent it', async () => {
  const { ports, clock, invoke, item, minutes, told, fake, published } = oauth2World({
    rotates: false,
  })
  await invoke()
  clock.advance((item().dueAt.getTime() - clock.now().getTime()) / 1000)
  const atTheGrant = (before: () => Promise<unknown>): Crossing => {
    return async (name, call) => {
      if (name === 'vendor.refresh_token') await before()
      return call()
    }
  }
  let thaw = () => {}
  const thawed = new Promise<void>((resolve) => {
    thaw = resolve
  })
  const first = invoke(
    interposed(
      ports,
      atTheGrant(() => thawed),
    ),
  )
  await setImmediate()
  clock.advance(400)
  // The second one announces its repetition; before it is sent, the first one goes on to its end.
  const afterTheFirst = async () => {
    thaw()
    await first
  }
  expect(await invoke(interposed(ports, atTheGrant(afterTheFirst)))).toMatchObject({
    outcome: 'published',
  })
  await minutes(60)
  expect(told()).toEqual([])
  expect(fake.isAlive(published() ?? '')).toBe(true)
})

test('a refresh token in doubt stays so although a person enrolls it once more', async () => {
  const { invoke, clock, enroll, fake } = oauth2World()
  fake.faults.push('lose')
  await invoke()
  const { clientSecret } = oauth2Client
  enroll({ clientSecret, refreshToken: 'refresh-0.' }, 'version-of-an-operator')
  clock.advance(60)
  expect(await invoke()).toMatchObject({ outcome: 'blocked', cause: 'token-at-risk' })
  expect(fake.presented).toEqual(new Map([['refresh-0.', 1]]))
})

test('nor is it good again because a person puts an older version with it back', async () => {
  const { invoke, clock, item, enroll, fake, secrets, enrollment } = oauth2World()
  await invoke()
  const written = item().versionId ?? ''
  const held = fake.tip() ?? ''
  const { clientSecret } = oauth2Client
  enroll({ clientSecret, refreshToken: held, note: 'ask Kim' }, 'version-of-an-operator')
  clock.advance((item().dueAt.getTime() - clock.now().getTime()) / 1000)
  fake.faults.push('lose')
  await invoke()
  await secrets.promote(enrollment, { from: 'version-of-an-operator', to: written })
  clock.advance(60)
  expect(await invoke()).toMatchObject({ outcome: 'blocked', cause: 'token-at-risk' })
  expect(fake.presented.get(held)).toBe(1)
})
