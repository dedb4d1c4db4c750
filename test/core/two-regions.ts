import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import { StoreError } from '../../lib/core/errors.ts'
import type { Peer } from '../../lib/core/ports.ts'
import type { Ports } from '../../lib/core/run.ts'
import { takeOver } from '../../lib/core/take-over.ts'
import type { FakeVendor } from './fake-vendors.ts'
import type { memorySecrets } from './memory.ts'
import { mdrWorld, oauth2World, type world } from './world.ts'

type World = ReturnType<typeof world<FakeVendor>>

/** The same connection deployed in two regions at one vendor: `home` is at work first, `away` holds replicas. */
export function twoRegions(make: () => World = mdrWorld) {
  const home = make()
  const away = make()
  const cut = { home: false, away: false }
  const state = { isReplica: true }
  const names = { home: 'eu-central-1', away: 'eu-west-1' } as const
  away.secrets.clear(away.enrollment)

  const peer = (of: World, name: 'home' | 'away'): Peer => {
    const through =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (cut.home || cut.away) throw new StoreError('GetItem failed with TimeoutError', 'retry')
        return call(...args)
      }
    return {
      region: names[name],
      ledger: { read: through(of.ledger.read), write: through(of.ledger.write) },
      secrets: { read: through(of.secrets.read) },
      parameters: { read: through(of.parameters.read) },
    }
  }
  const refused = async () => {
    throw new StoreError('PutSecretValue failed with InvalidRequestException', 'denied')
  }
  const secretsAway: Ports['secrets'] = {
    ...away.secrets,
    put: (...args) => (state.isReplica ? refused() : away.secrets.put(...args)),
    promote: (...args) => (state.isReplica ? refused() : away.secrets.promote(...args)),
  }
  const portsHome = {
    ...home.ports,
    regions: { own: names.home, first: names.home, peers: [peer(away, 'away')] },
  }
  const portsAway = {
    ...home.ports,
    secrets: secretsAway,
    ledger: away.ledger,
    parameters: away.parameters,
    events: away.events,
    regions: { own: names.away, first: names.home, peers: [peer(home, 'home')] },
  }
  const run = (runId: string) => ({
    connection: home.connection,
    vendor: home.vendor,
    runId,
    remainingSeconds: () => 60,
  })
  let commands = 0
  const regions = {
    clock: home.clock,
    fake: home.fake,
    names,
    cut,
    home: {
      ...home,
      ports: portsHome,
      elsewhere: () => storedIn(away),
      invoke: (through: Ports = portsHome) => home.invoke(through),
      takeOver: () => takeOver(run(`take-over-home-${++commands}`), portsHome),
    },
    away: {
      ...away,
      // One clock, one vendor.
      ...{ clock: home.clock, fake: home.fake, tokens: home.tokens, repeated: home.repeated },
      ports: portsAway,
      elsewhere: () => storedIn(home),
      invoke: (through: Ports = portsAway) => away.invoke(through),
      takeOver: () => takeOver(run(`take-over-away-${++commands}`), portsAway),
    },
    /** What Secrets Manager does by itself, some time after every write. */
    replicate() {
      if (!state.isReplica) return
      for (const id of [home.enrollment, home.consumer]) copy(home.secrets, away.secrets, id)
    },
    /** A person makes the replicas secrets of their own. */
    promote() {
      state.isReplica = false
    },
    /** A person makes them replicas again. */
    demote() {
      state.isReplica = true
      for (const id of [enrollmentSecretId, consumerSecretId]) {
        away.secrets.clear(id(home.connection.id))
      }
    },
    /** Lets both regions tick once a minute, and reports what ran in each. */
    async minutes(count: number, ticking: readonly ('home' | 'away')[] = ['home', 'away']) {
      const outcomes: string[] = []
      for (let minute = 0; minute < count; minute++) {
        for (const name of ticking) {
          const outcome = await regions[name].invoke()
          if (outcome !== undefined) outcomes.push(`${name} ${outcome.outcome}`)
        }
        regions.replicate()
        home.clock.advance(60)
      }
      return outcomes
    },
    repeated: home.repeated,
  }
  return regions
}

export const twoOauth2Regions = () => twoRegions(() => oauth2World())

function storedIn({ secrets, enrollment, parameters }: World): readonly string[] {
  return [...secrets.texts(enrollment), ...parameters.values.values()]
}

type Secrets = ReturnType<typeof memorySecrets>

function copy(from: Secrets, to: Secrets, secretId: string) {
  to.clear(secretId)
  from.versions(secretId).forEach((versionId, index) => {
    to.edit(secretId, versionId, from.texts(secretId)[index] ?? '')
  })
  const current = from.labelled(secretId)
  if (current !== undefined) to.label(secretId, current)
}
