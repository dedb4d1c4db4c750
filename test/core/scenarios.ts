import { ordered } from '../../lib/core/ledger.ts'
import { oauth2Issuer } from './fake-oauth2.ts'
import type { FakeVendor } from './fake-vendors.ts'
import { kicsWorld } from './kics-world.ts'
import { regionScenarios } from './region-scenarios.ts'
import { ftdWorld, incydrWorld, kscWorld, mdrWorld, oauth2World, type world } from './world.ts'

export type AnyWorld = ReturnType<typeof world<FakeVendor>>

// Longer than the lease of a run that died, so that its successor comes in time.
const graceSeconds = 600

/** A world brought to the moment before the run in question. */
export interface Scenario {
  readonly title: string
  readonly prepare: () => Promise<AnyWorld>
  /** Whether another grant restarts a chain whose pair was lost on the way. */
  readonly restarts: boolean
  /** The vendor takes a spent token once more: a pair that one fault has lost comes back. */
  readonly repeats?: boolean
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
  {
    title: 'kaspersky-mdr, a refresh that Secrets Manager ordered',
    prepare: async () => withOrder(await untilDue(mdrWorld(), 10)),
    restarts: false,
  },
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
  {
    title: 'kaspersky-security-center, a session that Secrets Manager ordered',
    prepare: async () => withOrder(await untilDue(kscWorld(), 10)),
    restarts: true,
    minutes: 25,
  },
  {
    title: 'kics-for-networks, first rotation',
    prepare: async () => kicsWorld(),
    restarts: true,
    minutes: 25,
  },
  {
    title: 'kics-for-networks, refresh',
    prepare: () => untilDue(kicsWorld(), 1),
    restarts: true,
    minutes: 25,
  },
  {
    title: 'kics-for-networks, a refresh token that is no longer taken',
    async prepare() {
      const world = await untilDue(kicsWorld(), 1)
      world.fake.forgetChains()
      return world
    },
    restarts: true,
    minutes: 25,
  },
  {
    title: 'kics-for-networks, certificate alone',
    prepare: () => untilDue(kicsWorld({ givesRefreshToken: false }), 1),
    restarts: true,
    minutes: 25,
  },
  {
    title: 'code42-incydr, first mint',
    prepare: async () => incydrWorld(),
    restarts: true,
    minutes: 25,
  },
  {
    title: 'code42-incydr, mint',
    prepare: () => untilDue(incydrWorld(), 1),
    restarts: true,
    minutes: 25,
  },
  {
    title: 'code42-incydr, first user token',
    prepare: async () => incydrWorld('user-token'),
    restarts: true,
    minutes: 40,
  },
  {
    title: 'code42-incydr, user token',
    prepare: () => untilDue(incydrWorld('user-token'), 1),
    restarts: true,
    minutes: 40,
  },
  {
    title: 'code42-incydr, first refresh pair',
    prepare: async () => incydrWorld('refresh-pair'),
    restarts: false,
    minutes: 40,
  },
  {
    title: 'code42-incydr, refresh pair',
    prepare: () => untilDue(incydrWorld('refresh-pair'), 1),
    restarts: false,
    minutes: 40,
  },
  ...oauth2Scenarios(),
]

/** A native rotation has begun, and the function has died over it: the next tick carries it out. */
function withOrder<W extends AnyWorld>(world: W): W {
  const item = world.item()
  const order = '00000000-0000-4000-8000-0000000000aa'
  world.ledger.items.set(world.connection.id, ordered(item, order, world.clock.now()))
  return world
}

/** Each kind of authorization server, met for the first time and again when its token is due. */
function oauth2Scenarios(): Scenario[] {
  const grant = 'client_credentials'
  const issuer = oauth2Issuer
  const servers = [
    { server: 'rotating', make: () => oauth2World(), restarts: false },
    {
      server: 'introspecting',
      make: () => oauth2World({ introspects: true }, { issuer }),
      restarts: false,
    },
    {
      server: 'a grace for the same pair',
      make: () => oauth2World({ grace: { seconds: graceSeconds, gives: 'same' } }),
      restarts: false,
      repeats: true,
    },
    {
      server: 'a grace for a new pair',
      make: () => oauth2World({ grace: { seconds: graceSeconds, gives: 'new' } }),
      restarts: false,
      repeats: true,
    },
    {
      server: 'not rotating',
      make: () => oauth2World({ rotates: false }),
      restarts: false,
    },
    {
      server: 'known not to rotate',
      make: () => oauth2World({ rotates: false }, { rotatesRefreshToken: false }),
      restarts: true,
    },
    {
      server: 'client credentials',
      make: () => oauth2World({}, { grant }),
      restarts: true,
    },
    {
      server: 'client credentials that are revoked',
      make: () => oauth2World({}, { grant, issuer, revokeSuperseded: true }),
      restarts: true,
    },
  ]
  const minutes = 40
  return servers.flatMap(({ server, make, ...rest }) => [
    { title: `oauth2, ${server}, first`, prepare: async () => make(), minutes, ...rest },
    { title: `oauth2, ${server}, again`, prepare: () => untilDue(make(), 1), minutes, ...rest },
  ])
}

/** Scenarios of what no vendor of the table does: tell by introspection without a fact of its own. */
export const furtherScenarios: readonly Scenario[] = [
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
  ...regionScenarios,
]

/** The vendor of a scenario, as its title begins. */
export function vendorOf({ title }: Scenario): string {
  return title.split(', ')[0] ?? title
}

async function untilDue<W extends AnyWorld>(world: W, minutes: number): Promise<W> {
  await world.minutes(minutes)
  const seconds = (world.item().dueAt.getTime() - world.clock.now().getTime()) / 1000
  world.clock.advance(Math.max(0, Math.ceil(seconds)))
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
