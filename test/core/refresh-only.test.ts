import { describe, expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import { faults, faulty } from './crash.ts'
import { ftdWorld, mdrWorld } from './world.ts'

type World = Pick<ReturnType<typeof mdrWorld>, 'clock' | 'item'>

/** The first tick at which the connection is due. */
function toDue({ clock, item }: World) {
  clock.advance((item().dueAt.getTime() - clock.now().getTime()) / 1000)
}

/** How often the refresh tokens were presented that were presented at all. */
const counts = ({ fake }: ReturnType<typeof mdrWorld>) => [...new Set(fake.presented.values())]

describe('an answer with a refresh token, but no access token that can be used', () => {
  test('fails the run, and its refresh token buys the next pair', async () => {
    const world = mdrWorld()
    await world.invoke()
    toDue(world)
    const before = world.published()
    world.fake.faults.push('half')
    expect(await world.invoke()).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_RESPONSE' },
      message: expect.stringContaining('gave no token pair'),
    })
    expect(world.published()).toBe(before)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    world.clock.advance(60)
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
    expect(counts(world)).toEqual([1])
    expect(world.told()).toEqual([])
  })

  test('is looked for once more in the same run if a person edits the secret meanwhile', async () => {
    const world = mdrWorld()
    await world.invoke()
    toDue(world)
    world.fake.faults.push('half')
    const spent = world.secrets.current(world.enrollment)?.refreshToken
    const promote: Ports['secrets']['promote'] = async (id, move) => {
      if (id === world.enrollment && world.fake.faults.length === 0 && !isEdited) {
        isEdited = true
        world.enroll({ refreshToken: spent, clientId: 'tenant-1' }, edited)
      }
      return world.secrets.promote(id, move)
    }
    let isEdited = false
    const edited = '00000000-0000-4000-8000-00000000000e'
    const secrets = { ...world.secrets, promote }
    expect(await world.invoke({ ...world.ports, secrets })).toMatchObject({ outcome: 'rotated' })
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    expect(counts(world)).toEqual([1])
  })

  test('is asked for no more often than the back-off and the version budget allow', async () => {
    const world = mdrWorld()
    await world.invoke()
    toDue(world)
    for (let minute = 0; minute < 26 * 60; minute++) {
      if (world.fake.faults.length === 0) world.fake.faults.push('half')
      await world.invoke()
      world.clock.advance(60)
    }
    expect(counts(world)).toEqual([1])
    expect(world.item().enrollmentWrites.length).toBeLessThanOrEqual(98)
    world.fake.faults.length = 0
    await world.minutes(20)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })

  test('waits in the escrow like any pair, should Secrets Manager not take it', async () => {
    const world = mdrWorld()
    await world.invoke()
    toDue(world)
    world.fake.faults.push('half')
    const put = async () => {
      throw new StoreError('no access', 'denied')
    }
    await world.invoke({ ...world.ports, secrets: { ...world.secrets, put } })
    world.clock.advance(60)
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
    expect(counts(world)).toEqual([1])
  })

  test.each(faults)(
    'is lost to no fault of the kind "%s", wherever it meets the run',
    async (fault) => {
      for (let at = 0; ; at++) {
        const world = mdrWorld()
        await world.invoke()
        toDue(world)
        world.fake.faults.push('half')
        const { ports, crossed, died } = faulty(world.ports, at, fault)
        await Promise.race([world.invoke(ports), died])
        if (crossed.length <= at) break
        // The vendor's answer itself is another story: nobody has it.
        if (crossed[at]?.startsWith('vendor.')) continue
        // Nor has a process that died before it could write anything.
        if (fault === 'die before' && crossed[at] === 'secrets.put') continue
        await world.minutes(20)
        expect(counts(world), crossed[at]).toEqual([1])
        expect(world.fake.isAlive(world.published() ?? ''), crossed[at]).toBe(true)
      }
    },
  )

  test('is not waited for where tokens can be had without spending anything', async () => {
    const world = ftdWorld()
    await world.invoke()
    toDue(world)
    world.fake.faults.push('half')
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
    expect(world.fake.logins()).toBe(2)
  })
})
