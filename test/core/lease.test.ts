import { expect, test } from 'vitest'
import { StoreError } from '../../lib/core/errors.ts'
import { openLedger } from '../../lib/core/lease.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import { mdrWorld } from './world.ts'

const requested = (item: LedgerItem): LedgerItem => ({ ...item, requested: true })

/** A run that holds the lease, and whose next write takes effect without being acknowledged. */
async function afterLostAcknowledgement() {
  const { connection, ports, clock, ledger } = mdrWorld()
  let isLost = false
  const losing = {
    ...ports.ledger,
    async write(item: LedgerItem) {
      const result = await ledger.write(item)
      if (isLost) throw new StoreError('PutItem failed with TimeoutError', 'retry')
      return result
    },
  }
  const deadline = new Date(clock.now().getTime() + 60_000)
  const run = { connection, runId: 'run-1', deadline }
  const opened = await openLedger(run, { ...ports, ledger: losing })
  if (opened === undefined) throw new Error('no lease')
  isLost = true
  await expect(opened.commit(requested)).rejects.toMatchObject({ code: 'ERR_STORE' })
  isLost = false
  return { opened, ledger, item: () => ledger.item(connection.id) }
}

test('a write whose acknowledgement was lost does not cost its run the lease', async () => {
  const { opened, item } = await afterLostAcknowledgement()
  expect(item()).toMatchObject({ requested: true, lease: { runId: 'run-1' } })
  await opened.commit(({ lease: _, ...rest }) => rest)
  // What was not acknowledged counts as not written, and is gone.
  expect(item()).not.toHaveProperty('requested')
  expect(item()).not.toHaveProperty('lease')
  expect(opened.item).toEqual(item())
})

test('after a lost acknowledgement, too, a run stops when another has written since', async () => {
  const { opened, ledger, item } = await afterLostAcknowledgement()
  const { revision } = item()
  await ledger.write({ ...item(), revision: revision + 1, writer: 'run-2#1' })
  await expect(opened.commit()).rejects.toMatchObject({ code: 'ERR_LEASE_HELD' })
  expect(item().writer).toBe('run-2#1')
})
