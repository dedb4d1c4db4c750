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

test('nor when the person edits the document once more meanwhile', async () => {
  const { invoke, clock, item, enroll, fake, secrets, enrollment } = mdrWorld()
  await invoke()
  const before = fake.tip() ?? ''
  fake.renew('pasted-token.')
  enroll({ refreshToken: 'pasted-token.' }, 'version-of-a-person')
  clock.advance((item().dueAt.getTime() - clock.now().getTime()) / 1000)
  fake.faults.push('lose')
  await invoke()
  enroll({ refreshToken: 'pasted-token.', note: 'ask Kim' }, 'version-with-a-note')
  clock.advance(60)
  await invoke()
  expect(fake.presented.has(before)).toBe(false)
  expect((await secrets.read(enrollment))?.versionId).toBe('version-with-a-note')
})

test('but for its own pair, should a run have stored that before the edit', async () => {
  const { invoke, clock, item, ports, secrets, enroll, fake, published } = mdrWorld()
  await invoke()
  fake.renew('pasted-token.')
  enroll({ refreshToken: 'pasted-token.' }, 'version-of-a-person')
  clock.advance((item().dueAt.getTime() - clock.now().getTime()) / 1000)
  // It dies between writing the pair and promoting it.
  const promote = () => new Promise<never>(() => {})
  void invoke({ ...ports, secrets: { ...secrets, promote } })
  await new Promise(setImmediate)
  enroll({ refreshToken: 'pasted-token.', note: 'ask Kim' }, 'version-with-a-note')
  clock.advance(331)
  await invoke()
  expect(fake.presented.get('pasted-token.')).toBe(1)
  expect(fake.isAlive(published() ?? '')).toBe(true)
})
