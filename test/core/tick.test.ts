import { describe, expect, test } from 'vitest'
import { tick } from '../../lib/core/tick.ts'
import { mdrWorld } from './world.ts'

const other = (id: string) => ({
  id,
  vendor: 'kaspersky-mdr',
  options: { clientId: 'tenant-1', url: 'https://mdr.example.com' },
})

/** One tick over connections of which the ledger knows when they are due, in seconds from now. */
async function ticked(
  due: Readonly<Record<string, number | undefined>>,
  { seconds = 300, concurrency }: { seconds?: number; concurrency?: number } = {},
) {
  const world = mdrWorld()
  const now = world.clock.now()
  const started: string[] = []
  let [active, most] = [0, 0]
  const outcomes = await tick(
    {
      vendor: world.vendor,
      connections: Object.keys(due).map(other),
      remainingSeconds: () => seconds,
      newRunId: () => `run-${started.length}`,
      ...(concurrency === undefined ? {} : { concurrency }),
    },
    {
      ...world.ports,
      ledger: {
        ...world.ledger,
        dues: async () =>
          Object.entries(due).flatMap(([connection, from]) =>
            from === undefined
              ? []
              : [{ connection, dueAt: new Date(now.getTime() + from * 1000) }],
          ),
        async read(_vendor, connection) {
          started.push(connection)
          most = Math.max(most, ++active)
          await Promise.resolve()
          active--
          return undefined
        },
      },
    },
  )
  return { outcomes, started, most }
}

describe('a tick', () => {
  test('runs what is due, soonest first, and leaves the rest', async () => {
    const { started } = await ticked({ second: -5, first: -60, later: 1, exactly: 0 })
    expect(started).toEqual(['first', 'second', 'exactly'])
  })

  test('runs what the ledger does not know yet before anything else', async () => {
    expect((await ticked({ known: -60, unknown: undefined })).started).toEqual(['unknown', 'known'])
  })

  test('leaves the connections of other vendors alone', async () => {
    const world = mdrWorld()
    const connections = [{ ...other('ftd-hq'), vendor: 'cisco-ftd' }]
    const { vendor, ports } = world
    const whole = { vendor, connections, remainingSeconds: () => 300, newRunId: () => 'run-1' }
    expect(await tick(whole, ports)).toEqual([])
  })

  test('puts off what could not wait for its vendor and persist the answer', async () => {
    const { outcomes, started } = await ticked({ one: -1 }, { seconds: 80 })
    expect(outcomes).toEqual([{ connection: 'one', outcome: 'deferred' }])
    expect(started).toEqual([])
    expect((await ticked({ one: -1 }, { seconds: 81 })).started).toEqual(['one'])
  })

  test('runs as many at a time as it may', async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`c-${n}`, -1]))
    expect((await ticked(many, { concurrency: 2 })).most).toBeLessThanOrEqual(2)
    const { most, started } = await ticked(many)
    expect(started).toHaveLength(30)
    expect(most).toBeLessThanOrEqual(20)
    expect(most).toBeGreaterThan(2)
  })
})

test('a run that cannot even begin fails alone', async () => {
  const world = mdrWorld()
  let ids = 0
  const outcomes = await tick(
    {
      vendor: world.vendor,
      connections: [other('mdr-first'), world.connection],
      remainingSeconds: () => 300,
      newRunId() {
        if (++ids === 1) throw new RangeError('no randomness')
        return 'run-2'
      },
    },
    world.ports,
  )
  expect(outcomes).toMatchObject([
    {
      connection: 'mdr-first',
      outcome: 'failed',
      error: { code: 'ERR_UNEXPECTED', message: 'unexpected RangeError' },
    },
    { connection: 'mdr-prod', outcome: 'rotated' },
  ])
})

test('whoever listens hears of each run as it ends, and how long it took', async () => {
  const world = mdrWorld()
  const heard: unknown[] = []
  const outcomes = await tick(
    {
      vendor: world.vendor,
      connections: [world.connection],
      remainingSeconds: () => 300,
      newRunId: () => 'run-1',
      ended: (outcome, seconds) => heard.push([outcome, seconds]),
    },
    {
      ...world.ports,
      connect(...args) {
        world.clock.advance(7)
        return world.ports.connect(...args)
      },
    },
  )
  expect(outcomes).toMatchObject([{ outcome: 'rotated' }])
  // The seven, and the second after which a store that has not answered would no longer be waited for.
  expect(heard).toEqual([[outcomes[0], 8]])
})

test('a clock that is set back in mid-run makes no run last less than no time', async () => {
  const world = mdrWorld()
  const heard: number[] = []
  await tick(
    {
      vendor: world.vendor,
      connections: [world.connection],
      remainingSeconds: () => 300,
      newRunId: () => 'run-1',
      ended: (_outcome, seconds) => heard.push(seconds),
    },
    {
      ...world.ports,
      connect(...args) {
        world.clock.advance(-7)
        return world.ports.connect(...args)
      },
    },
  )
  expect(heard).toEqual([0])
})
