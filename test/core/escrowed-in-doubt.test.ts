import { expect, test } from 'vitest'
import { StoreError, TransportError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import { mdrWorld } from './world.ts'

test('a pair that stands in the escrow alone is in doubt there when its answer is missing, and has its second chance', async () => {
  const { invoke, clock, item, ports, secrets, told, fake, minutes } = mdrWorld()
  const untilDue = () => clock.advance((item().dueAt.getTime() - clock.now().getTime()) / 1000)
  await invoke()
  untilDue()
  const put = async () => {
    throw new StoreError('no access', 'denied')
  }
  const shut: Ports = { ...ports, secrets: { ...secrets, put } }
  await invoke(shut)
  const escrowed = fake.tip() ?? ''
  clock.advance(3000)
  const request = async () => {
    throw new TransportError('no answer', 'maybe')
  }
  await invoke({
    ...shut,
    connect: (connection, vendor, { credential }) =>
      vendor.connect(connection, credential, { request, close: async () => {} }),
  })
  await minutes(60)
  expect(fake.presented.get(escrowed)).toBe(1)
  expect(fake.tip()).not.toBe(escrowed)
  expect(told()).not.toContain('enrollment-required')
})
