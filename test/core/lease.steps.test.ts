import { describe, expect, test } from 'vitest'
import { LeaseHeldError } from '../../lib/core/errors.ts'
import { openLedger } from '../../lib/core/lease.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import { manualClock, memoryLedger } from './memory.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const connection = { id: 'mdr-prod', vendor: 'kaspersky-mdr', options: {} }

function table() {
  const ledger = memoryLedger()
  const clock = manualClock(t0)
  const open = (runId: string, seconds = 300) =>
    openLedger(
      { connection, runId, remainingSeconds: () => seconds },
      { ledger, clock, timings: defaultTimings },
    )
  return { ledger, clock, open, item: () => ledger.item('mdr-prod') }
}

describe('a run that begins', () => {
  test('writes its lease at once: a minute, and half a minute of grace', async () => {
    const { open, item } = table()
    const opened = await open('run-1')
    expect(item()).toMatchObject({
      vendor: 'kaspersky-mdr',
      connection: 'mdr-prod',
      revision: 1,
      writer: 'run-1#1',
      fence: 1,
      lease: { runId: 'run-1', expiresAt: new Date('2026-01-01T00:01:30Z') },
    })
    expect(opened?.item).toEqual(item())
  })

  test('that ends sooner than in a minute has its lease as long as itself, and the grace', async () => {
    const { open, item } = table()
    await open('run-1', 20)
    expect(item().lease?.expiresAt).toEqual(new Date('2026-01-01T00:00:50Z'))
  })

  test('while another is at work gets nothing, and writes nothing', async () => {
    const { open, item, clock } = table()
    await open('run-1')
    clock.advance(89)
    expect(await open('run-2')).toBeUndefined()
    expect(item().writer).toBe('run-1#1')
    clock.advance(1)
    expect((await open('run-2'))?.item.fence).toBe(2)
  })

  test('at the same moment as another gets nothing if that one was first to write', async () => {
    const { open, item } = table()
    const opened = await Promise.all([open('run-1'), open('run-2')])
    expect(opened.map((ledger) => ledger?.item.writer)).toEqual(['run-1#1', undefined])
    expect(item().fence).toBe(1)
  })
})

describe('a change of the item', () => {
  test('that is staged is seen at once, and written with the next commit', async () => {
    const { open, item } = table()
    const opened = await open('run-1')
    opened?.stage((before) => ({ ...before, attempts: 5 }))
    expect(opened?.item.attempts).toBe(5)
    expect(item().attempts).toBe(0)
    await opened?.commit((before) => ({ ...before, rotations: before.attempts + 1 }))
    expect(item()).toMatchObject({ attempts: 5, rotations: 6, revision: 2, writer: 'run-1#2' })
    expect(opened?.item).toEqual(item())
  })

  test('that is none is committed all the same: it proves that the lease is still held', async () => {
    const { open, item } = table()
    await (await open('run-1'))?.commit()
    expect(item()).toMatchObject({ revision: 2, writer: 'run-1#2' })
  })

  test('is refused once another run has written, and leaves the run with what it knew', async () => {
    const { open, item, clock } = table()
    const first = await open('run-1')
    clock.advance(91)
    await open('run-2')
    const late = first?.commit((before) => ({ ...before, rotations: 99 }))
    await expect(late).rejects.toThrow(LeaseHeldError)
    await expect(late).rejects.toThrow('another run has taken over the lease; this one stops here')
    expect(first?.item.rotations).toBe(0)
    expect(item()).toMatchObject({ writer: 'run-2#1', rotations: 0 })
  })

  test('is refused as well if somebody has deleted the item', async () => {
    const { open, ledger } = table()
    const opened = await open('run-1')
    ledger.items.clear()
    await expect(opened?.commit()).rejects.toThrow(LeaseHeldError)
    expect(ledger.items.size).toBe(0)
  })
})
