import { expect, test } from 'vitest'
import type { Ports } from '../../lib/core/run.ts'
import type { VendorClient } from '../../lib/core/vendor.ts'
import { mdrWorld } from './world.ts'

/** MDR, were it to revoke; what is revoked is written down. */
function revoking(fate?: 'held-ended', revokesHeld = true) {
  const world = mdrWorld()
  const revoked: string[] = []
  const ports: Ports = {
    ...world.ports,
    connect: (...args): VendorClient => {
      const client = world.ports.connect(...args)
      return {
        ...client,
        grants: client.grants.map((grant) => ({ ...grant, ...(revokesHeld && { revokesHeld }) })),
        async revoke(superseded) {
          revoked.push(...superseded.map(({ accessToken }) => accessToken.reveal()))
          return fate
        },
      }
    },
  }
  const minutes = async (count: number) => {
    for (let minute = 0; minute < count; minute++) {
      await world.invoke(ports)
      world.clock.advance(60)
    }
  }
  return { world, revoked, minutes }
}

test('a spending grant that asks for it has the former token revoked, once, after every cache', async () => {
  const { world, revoked, minutes } = revoking()
  await minutes(1)
  const first = world.published()
  await minutes(45)
  expect(world.published()).not.toBe(first)
  expect(revoked).toEqual([])
  await minutes(6)
  expect(revoked).toEqual([first])
})

test('by default a refresh leaves nothing to revoke: its session goes on', async () => {
  const { revoked, minutes } = revoking(undefined, false)
  await minutes(120)
  expect(revoked).toEqual([])
})

test('if what is held died with what was revoked, it is renewed in the same run', async () => {
  const { world, revoked, minutes } = revoking('held-ended')
  await minutes(50)
  const before = world.item().rotations
  await minutes(3)
  expect(revoked).toHaveLength(1)
  expect(world.item().rotations).toBe(before + 1)
})
