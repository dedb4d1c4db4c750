import { describe, expect, test } from 'vitest'
import { enroll } from '../../lib/core/enroll.ts'
import { StoreError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import { mdrWorld } from './world.ts'

const refused = async (): Promise<never> => {
  throw new StoreError('refused', 'denied')
}

describe('an enrollment that a store refuses', () => {
  test.each([
    ['the secret', (ports: Ports) => ({ secrets: { ...ports.secrets, put: refused } })],
    ['the escrow', (ports: Ports) => ({ parameters: { ...ports.parameters, remove: refused } })],
  ])('at %s fails without keeping the lease: the next tick is at work', async (_where, without) => {
    const world = mdrWorld()
    const { connection, vendor, ports } = world
    const run = { connection, vendor, runId: 'enrollment-1', remainingSeconds: () => 60 }
    const fields = { refreshToken: 'console-token-2' }
    const versionId = '00000000-0000-4000-8000-000000000002'
    const call = enroll(run, fields, versionId, { ...ports, ...without(ports) })
    await expect(call).rejects.toMatchObject({ code: 'ERR_STORE' })
    expect(world.item()).not.toHaveProperty('lease')
    expect(await world.invoke()).not.toMatchObject({ outcome: 'lease-held' })
  })
})
