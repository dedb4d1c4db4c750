import { describe, expect, test } from 'vitest'
import { ftdWorld, mdrWorld } from './world.ts'

describe('a run of a vendor whose refresh tokens buy one pair each', () => {
  test('publishes the first pair at the first tick after enrollment', async () => {
    const world = mdrWorld()
    const outcome = await world.invoke()
    expect(outcome).toMatchObject({ outcome: 'rotated' })
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('keeps every read of the consumer secret fresh over a day, spending each token once', async () => {
    const world = mdrWorld()
    await world.invoke()
    for (let minute = 0; minute < 24 * 60; minute++) {
      world.clock.advance(60)
      await world.invoke()
      expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    }
    expect(world.repeated()).toBe(0)
    expect(world.fake.presented.size).toBeGreaterThan(30)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.told()).toEqual([])
  })
})
describe('a run of a device with logins', () => {
  test('logs in once and refreshes from then on', async () => {
    const world = ftdWorld()
    await world.minutes(24 * 60)
    expect(world.fake.logins()).toBe(1)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    expect(world.repeated()).toBe(0)
  })
  test('turns a login into a custom token without a second login, and ends the login after the overlap', async () => {
    const world = ftdWorld({ customToken: {} })
    const outcomes = await world.minutes(20)
    console.log(JSON.stringify(outcomes, null, 1))
    expect(world.fake.logins()).toBe(1)
    expect([...world.fake.sessions.values()].map(({ origin }) => origin)).toEqual(['custom'])
  })
})
