import { describe, expect, test } from 'vitest'
import { vendors } from '../../lib/vendors/index.ts'
import { furtherScenarios, type Scenario, scenarios, vendorOf } from '../core/scenarios.ts'
import { newTally, overlaps, singles, singlesAndPairs, type Tally } from './exhaustive.ts'

const everyScenario = [...scenarios, ...furtherScenarios]
const seconds = 1000
const patience = 120 * seconds

/** Those whose pairs take a few seconds; `npm run torture -- --exhaustive` plays all of them. */
const quickPairs = ['cisco-ftd, retirement of the login', 'code42-incydr, first mint']
const quickOverlaps = ['kaspersky-mdr, refresh', 'code42-incydr, mint']

const named = (titles: readonly string[]) =>
  everyScenario.filter(({ title }) => titles.includes(title))

async function tallied(
  enumerate: (scenario: Scenario, tally: Tally) => Promise<void>,
  scenario: Scenario,
): Promise<Tally> {
  const tally = newTally()
  await enumerate(scenario, tally)
  return tally
}

test('every vendor of the table is interrupted', () => {
  expect(new Set(scenarios.map(vendorOf))).toEqual(new Set(Object.keys(vendors)))
})

describe('nothing is lost, spent twice or told twice', () => {
  test.each(everyScenario)(
    'by a fault at any boundary ($title)',
    async (scenario) => {
      const { failures, single } = await tallied(singles, scenario)
      expect(failures).toEqual([])
      expect(single).toBeGreaterThan(20)
    },
    patience,
  )

  test.each(named(quickPairs))(
    'by a second fault in the recovery from a first ($title)',
    async (scenario) => {
      const { failures, pairs } = await tallied(singlesAndPairs, scenario)
      expect(failures).toEqual([])
      expect(pairs).toBeGreaterThan(500)
    },
    patience,
  )

  test.each(named(quickOverlaps))(
    'by two runs that change turns at any two boundaries ($title)',
    async (scenario) => {
      const { failures, overlaps: met } = await tallied(overlaps, scenario)
      expect(failures).toEqual([])
      expect(met).toBeGreaterThan(300)
    },
    patience,
  )
})

describe('an enumeration would notice', () => {
  const refresh = named(['kaspersky-mdr, refresh'])[0] as Scenario

  /** The refresh scenario, with ports that are broken from the run in question on. */
  const broken = (spoil: (world: Awaited<ReturnType<Scenario['prepare']>>) => void): Scenario => ({
    ...refresh,
    async prepare() {
      const world = await refresh.prepare()
      spoil(world)
      return world
    },
  })

  test('an escrow and a successor that nobody finds', async () => {
    const { lostPairs, enrollments } = await tallied(
      singles,
      broken(({ ports }) => {
        const { read } = ports.secrets
        Object.assign(ports.secrets, {
          read: (id: string, version?: string) =>
            version === undefined ? read(id) : Promise.resolve(undefined),
        })
        Object.assign(ports.parameters, { read: async () => undefined })
      }),
    )
    expect(lostPairs + enrollments).toBeGreaterThan(0)
    expect(lostPairs).toBeGreaterThan(0)
  })

  test('a run that says what it holds', async () => {
    const { leaks, failures } = await tallied(
      singles,
      broken((world) => {
        const { emit } = world.ports.events
        Object.assign(world.ports.events, {
          emit: (event: Parameters<typeof emit>[0]) => {
            const message = `holds ${world.secrets.current(world.enrollment)?.refreshToken}`
            return emit({ ...event, detail: { ...event.detail, message } })
          },
        })
      }),
    )
    expect(leaks).toBeGreaterThan(0)
    expect(failures.join()).toContain('leaks')
  })

  test('a ledger that keeps no record of what was sent', async () => {
    const { doubleSpends } = await tallied(
      singles,
      broken(({ ports }) => {
        const { write } = ports.ledger
        Object.assign(ports.ledger, {
          write: ({ intent: _, ...item }: Parameters<typeof write>[0]) =>
            write({ ...item, spent: [] }),
        })
        Object.assign(ports.parameters, { read: async () => undefined })
        const { read } = ports.secrets
        Object.assign(ports.secrets, {
          read: (id: string, version?: string) =>
            version === undefined ? read(id) : Promise.resolve(undefined),
        })
      }),
    )
    expect(doubleSpends).toBeGreaterThan(0)
  })
})
