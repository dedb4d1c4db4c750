import { expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import { mdrWorld } from './world.ts'

test('a refresh token that a person pasted is not given up for the pair before it while its answer is missing', async () => {
  const { invoke, clock, item, secrets, enrollment, enroll, fake } = mdrWorld()
  await invoke()
  const before = fake.tip() ?? ''
  fake.renew('pasted-token.')
  enroll({ refreshToken: 'pasted-token.' }, 'version-of-a-person')
  clock.advance((item().dueAt.getTime() - clock.now().getTime()) / 1000)
  fake.faults.push('lose')
  await invoke()
  expect(fake.presented.get('pasted-token.')).toBe(1)
  expect(fake.presented.has(before)).toBe(false)
  expect((await secrets.read(enrollment))?.versionId).toBe('version-of-a-person')
})

test('nor for a pair that was brought to the escrow before it', async () => {
  const { invoke, clock, item, ports, secrets, enrollment, enroll, fake } = mdrWorld()
  await invoke()
  clock.advance((item().dueAt.getTime() - clock.now().getTime()) / 1000)
  const put = async () => {
    throw new StoreError('no access', 'denied')
  }
  await invoke({ ...ports, secrets: { ...secrets, put } })
  const escrowed = fake.tip() ?? ''
  fake.renew('pasted-token.')
  enroll({ refreshToken: 'pasted-token.' }, 'version-of-a-person')
  clock.advance(3600)
  fake.faults.push('lose')
  await invoke()
  expect(fake.presented.get('pasted-token.')).toBe(1)
  expect(fake.presented.has(escrowed)).toBe(false)
  expect((await secrets.read(enrollment))?.versionId).toBe('version-of-a-person')
})
