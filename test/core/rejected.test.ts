import { expect, test } from 'vitest'
import { VerifyFailedError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import { mdrWorld } from './world.ts'

/** A world whose vendor does not take the next tokens, as many as are named. */
function refusingWorld(refusals: number) {
  const world = mdrWorld()
  let left = refusals
  const ports: Ports = {
    ...world.ports,
    connect: (connection, vendor, enrolled) => ({
      ...world.ports.connect(connection, vendor, enrolled),
      verify: async () => {
        if (left-- > 0) throw new VerifyFailedError('incidents/count said no', true)
        return {}
      },
    }),
  }
  return { ...world, invoke: () => world.invoke(ports) }
}

test('a token that does not work when consumers need one is renewed in the same run', async () => {
  const { invoke, published, fake, told, item } = refusingWorld(1)
  expect(await invoke()).toMatchObject({ outcome: 'rotated' })
  expect(fake.presented.size).toBe(2)
  expect(fake.isAlive(published() ?? '')).toBe(true)
  expect(told()).toEqual([])
  expect(item().rejected).toBeUndefined()
})

test('but once only, however many do not work', async () => {
  const { invoke, published, fake, told, clock } = refusingWorld(Number.POSITIVE_INFINITY)
  expect(await invoke()).toMatchObject({ outcome: 'failed', cause: 'verify-failed' })
  for (let minute = 0; minute < 30; minute++) {
    clock.advance(60)
    await invoke()
  }
  expect(fake.presented.size).toBe(2)
  expect(published()).toBeDefined()
  expect(told()).toContain('verify-failed')
})
