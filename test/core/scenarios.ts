import { mint } from './fake-mint.ts'
import type { FakeVendor } from './fake-vendors.ts'
import { ftdWorld, kscWorld, mdrWorld, type world } from './world.ts'

export type AnyWorld = ReturnType<typeof world<FakeVendor>>

/** A world brought to the moment before the run in question. */
export interface Scenario {
  readonly title: string
  readonly prepare: () => Promise<AnyWorld>
  /** Whether another grant restarts a chain whose pair was lost on the way. */
  readonly restarts: boolean
  /** Ticks that consumers meet a token which had died before the run: whoever dies leaves a lease. */
  readonly dead?: number
  /** Minutes in which everything that was begun has shown its effect. Default 75: a token's hour, and more. */
  readonly minutes?: number
}

export const scenarios: readonly Scenario[] = [
  {
    title: 'kaspersky-mdr, first rotation',
    prepare: async () => mdrWorld(),
    restarts: false,
  },
  { title: 'kaspersky-mdr, refresh', prepare: () => untilDue(mdrWorld(), 44), restarts: false },
  { title: 'cisco-ftd, login', prepare: async () => ftdWorld(), restarts: true },
  { title: 'cisco-ftd, refresh', prepare: () => untilDue(ftdWorld(), 19), restarts: true },
  {
    title: 'cisco-ftd, custom token',
    prepare: () => untilDue(ftdWorld({ customToken: {} }), 1),
    restarts: true,
  },
  {
    title: 'cisco-ftd, retirement of the login',
    prepare: () => untilDue(ftdWorld({ customToken: {} }), 6),
    restarts: true,
  },
  {
    title: 'kaspersky-security-center, login',
    prepare: async () => kscWorld(),
    restarts: true,
    minutes: 25,
  },
  {
    title: 'kaspersky-security-center, ping',
    prepare: () => untilDue(kscWorld(), 10),
    restarts: true,
    minutes: 25,
  },
  {
    title: 'kaspersky-security-center, a session that has died',
    async prepare() {
      const world = await untilDue(kscWorld(), 10)
      world.fake.restart()
      return world
    },
    restarts: true,
    dead: 1,
    minutes: 25,
  },
  {
    title: 'kaspersky-security-center, another session asked for',
    async prepare() {
      const world = await untilDue(kscWorld(), 10)
      world.ledger.items.set(world.connection.id, { ...world.item(), requested: true })
      return world
    },
    restarts: true,
    minutes: 25,
  },
]

/** Scenarios of vendors that are none of the table's, and of what some vendor's options allow. */
export const furtherScenarios: readonly Scenario[] = [
  { title: 'unheld-mint, first', prepare: async () => mint(), restarts: true },
  { title: 'unheld-mint, renewal', prepare: () => untilDue(mint(), 9), restarts: true },
  {
    title: 'introspecting, first rotation',
    prepare: async () => introspecting(mdrWorld()),
    restarts: false,
  },
  {
    title: 'introspecting, refresh',
    prepare: () => untilDue(introspecting(mdrWorld()), 44),
    restarts: false,
  },
]

/** The vendor of a scenario, as its title begins. */
export function vendorOf({ title }: Scenario): string {
  return title.split(', ')[0] ?? title
}

async function untilDue<W extends AnyWorld>(world: W, minutes: number): Promise<W> {
  await world.minutes(minutes)
  while (world.clock.now() < world.item().dueAt) world.clock.advance(1)
  return world
}

/** A vendor that tells by introspection what a refresh token is worth. */
function introspecting<W extends AnyWorld>(world: W): W {
  const { connect } = world.ports
  world.ports.connect = (...args) => ({
    ...connect(...args),
    introspect: async (token) => (token.reveal() === world.fake.tip() ? 'active' : 'inactive'),
  })
  return world
}
