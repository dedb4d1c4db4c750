import type { LedgerItem } from '../../lib/core/ledger.ts'
import type { Ports } from '../../lib/core/run.ts'
import type { SimulatedCloud } from './cloud.ts'
import type { Loss } from './losses.ts'
import { type SimulationOptions, simulate } from './simulate.ts'
import { species } from './subjects.ts'

type Through = NonNullable<SimulationOptions['through']>

/** Defences of the engine, each of them switched off at its ports: what is worth something is missed. */
export const mutants = {
  /** Nobody sees that another run is at work. */
  lease: (ports) => ({
    ...ports,
    ledger: {
      ...ports.ledger,
      read: (vendor, id) => ports.ledger.read(vendor, id).then(withoutLease),
    },
  }),
  /** Whoever has been passed by another run writes over what that one wrote. */
  fence: (ports, { cloud }) => ({
    ...ports,
    ledger: {
      ...ports.ledger,
      async write(item) {
        const answer = await ports.ledger.write(item)
        if (answer === 'conflict') overwrite(cloud, item)
        return 'written'
      },
    },
  }),
  /** What is about to be sent, and what was, is not on record. */
  intent: (ports) => ({
    ...ports,
    ledger: { ...ports.ledger, write: (item) => ports.ledger.write(withoutIntent(item)) },
  }),
  /** What was brought to safety there is not found. */
  escrow: (ports) => ({
    ...ports,
    parameters: {
      ...ports.parameters,
      read: (name) =>
        ports.parameters.read(name).then((text) => (isEscrow(name) ? undefined : text)),
    },
  }),
  /** The label is moved from wherever it is, even by a call that takes effect late. */
  'promote CAS': (ports, { cloud }) => {
    for (const secret of cloud.secrets.values()) {
      secret.promote = ({ to }, now) => {
        if (secret.current.at(-1)?.id !== to) secret.label(to, now)
        return 'promoted'
      }
    }
    return ports
  },
  /** A second look within a run sees what the first one saw. */
  're-read': (ports) => {
    const seen = new Map<string, ReturnType<Ports['secrets']['read']>>()
    return {
      ...ports,
      secrets: {
        ...ports.secrets,
        async read(secretId, versionId) {
          const key = `${secretId} ${versionId}`
          const known = seen.get(key)
          if (known !== undefined) return known
          const answer = await ports.secrets.read(secretId, versionId)
          seen.set(key, Promise.resolve(answer))
          return answer
        },
      },
    }
  },
} as const satisfies Readonly<Record<string, Through>>
export type Mutant = keyof typeof mutants

/** A world in which a missing defence is missed. */
export interface Caught {
  readonly seed: number
  readonly species: string
  readonly loss: Loss
  readonly why: string
}

/**
 * The first seed of a range that loses something without the defence, and nothing with it.
 *
 * @returns `undefined` if there is none
 */
export async function firstCaught(
  mutant: Mutant,
  { from, count, ...options }: { from: number; count: number } & SimulationOptions,
): Promise<Caught | undefined> {
  for (let seed = from; seed < from + count; seed++) {
    const { breaches, species } = await simulate(seed, { ...options, through: mutants[mutant] })
    const [breach] = breaches
    if (breach === undefined) continue
    const whole = await simulate(seed, options)
    if (whole.breaches.length === 0) return { seed, species, ...breach }
  }
  return undefined
}

/** Those whose pairs can be lost for good. */
export const chained = species.filter(({ restarts }) => !restarts)

function withoutLease(item: LedgerItem | undefined): LedgerItem | undefined {
  if (item === undefined) return undefined
  const { lease: _, ...rest } = item
  return rest
}

function withoutIntent({ intent: _, ...item }: LedgerItem): LedgerItem {
  return { ...item, spent: [] }
}

function overwrite(cloud: SimulatedCloud, item: LedgerItem) {
  const revision = (cloud.items.get(item.connection)?.revision ?? 0) + 1
  cloud.items.set(item.connection, { ...item, revision })
}

function isEscrow(name: string): boolean {
  return name.endsWith('/escrow')
}
