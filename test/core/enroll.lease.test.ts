import { describe, expect, test } from 'vitest'
import { enroll } from '../../lib/core/enroll.ts'
import { StoreError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import { mdrWorld } from './world.ts'

const refused = async (): Promise<never> => {
  throw new StoreError('refused', 'denied')
}

/** A person enrolls another token; these stores are not as they should be. */
function enrollment(without: (ports: Ports) => Partial<Ports>) {
  const world = mdrWorld()
  const { connection, vendor, ports, fake } = world
  const run = { connection, vendor, runId: 'enrollment-1', remainingSeconds: () => 60 }
  const fields = { refreshToken: 'console-token-2' }
  const versionId = '00000000-0000-4000-8000-000000000002'
  const call = () => enroll(run, fields, versionId, { ...ports, ...without(ports) })
  fake.renew('console-token-2')
  return { ...world, call }
}

describe('an enrollment', () => {
  test('that the secret refuses fails without keeping the lease: the next tick is at work', async () => {
    const { call, ...world } = enrollment((ports) => ({
      secrets: { ...ports.secrets, put: refused },
    }))
    await expect(call()).rejects.toMatchObject({ code: 'ERR_STORE' })
    expect(world.item()).not.toHaveProperty('lease')
    expect(await world.invoke()).not.toMatchObject({ outcome: 'lease-held' })
  })

  test('is done although the escrow cannot be emptied', async () => {
    const { call, invoke, fake } = enrollment((ports) => ({
      parameters: { ...ports.parameters, remove: refused },
    }))
    expect(await call()).toBe('enrolled')
    expect(await invoke()).toMatchObject({ outcome: 'rotated' })
    expect(fake.presented.get('console-token-2')).toBe(1)
  })
})
