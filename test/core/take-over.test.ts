import { describe, expect, test } from 'vitest'
import { type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import { outranks } from '../../lib/core/standing.ts'
import { twoRegions } from './two-regions.ts'
import { start } from './world.ts'

const owner = { vendor: 'kaspersky-mdr', connection: 'mdr-prod' }
const [home, away] = ['eu-central-1', 'eu-west-1']
const now = start.getTime() / 1000

/** A take-over in the region `away`, whose ledger knows this. */
async function taken(item?: Partial<LedgerItem>) {
  const { away, clock } = twoRegions()
  if (item !== undefined) {
    const dueAt = new Date(clock.now().getTime() + 3_600_000)
    away.ledger.items.set('mdr-prod', { ...newItem(owner, dueAt), ...item })
  }
  return { result: await away.takeOver(), item: away.item() }
}

describe('a take-over', () => {
  test('begins an epoch, is due at once, and stands in the history', async () => {
    const { result, item } = await taken({ attempts: 3, requested: true })
    expect(result).toEqual({ epoch: now })
    expect(item).toMatchObject({
      standing: { epoch: now, region: away },
      takingOver: { without: [], settled: false },
      dueAt: start,
      attempts: 0,
      history: [{ at: start, outcome: 'take-over' }],
      // Somebody asked for a renewal, and this is none.
      requested: true,
    })
    expect(item.takingOver?.from).toBeUndefined()
    expect(item.lease).toBeUndefined()
  })

  test('outranks what it knows of, by whatever clock that came', async () => {
    const standing = { epoch: now + 500, region: home }
    const { result, item } = await taken({ standing })
    expect(result).toEqual({ epoch: now + 501 })
    expect(item.takingOver?.from).toEqual(standing)
    expect((await taken({ standing: { epoch: 7, region: home } })).result).toEqual({ epoch: now })
  })

  test('at home forgets neither who was at work before nor whom it goes on without', async () => {
    const from = { epoch: 3, region: home }
    const takingOver = { from, without: [home], settled: true }
    const again = await taken({ standing: { epoch: 7, region: away }, takingOver })
    expect(again.item.takingOver).toEqual({ from, without: [home], settled: false })
    const alone = await taken({ standing: { epoch: 7, region: away } })
    expect(alone.item.takingOver).toEqual({
      from: { epoch: 7, region: away },
      without: [],
      settled: false,
    })
    const standing = { epoch: 7, region: home }
    const other = await taken({ standing, takingOver })
    expect(other.item.takingOver).toEqual({ from: standing, without: [], settled: false })
  })

  test('lets be told again what an enrollment would', async () => {
    const incident = {
      id: 'i',
      openedAt: start,
      told: ['token-at-risk', 'version-budget'] as const,
    }
    const { item } = await taken({ incident })
    expect(item.incident).toEqual({ ...incident, told: ['version-budget'], enrollments: 1 })
  })

  test('waits for a run that is at work here', async () => {
    const lease = { runId: 'run-9', expiresAt: new Date(start.getTime() + 1000) }
    const { result, item } = await taken({ lease })
    expect(result).toBe('lease-held')
    expect(item.standing).toBeUndefined()
  })
})

test('of two regions the later epoch is at work, and of one epoch the later name, but never both', () => {
  const one = { epoch: 5, region: home }
  expect(outranks({ ...one, epoch: 6 }, one)).toBe(true)
  expect(outranks(one, { ...one, epoch: 6 })).toBe(false)
  expect(outranks({ ...one, region: away }, one)).toBe(true)
  expect(outranks(one, { ...one, region: away })).toBe(false)
  expect(outranks(one, one)).toBe(false)
})
