import type { Chance } from './chance.ts'
import type { Instant } from './timeline.ts'

/** What can become of one call of a store. */
export const storeTroubles = [
  'throttled',
  'request lost',
  'answer lost',
  'answer late',
  'request late',
] as const
export type StoreTrouble = (typeof storeTroubles)[number]

/** What can become of one call of a vendor. */
export const vendorTroubles = [
  'unreachable',
  'request lost',
  'answer lost',
  'answer late',
  'error before',
  'error after',
  'answer cut',
] as const
export type VendorTrouble = (typeof vendorTroubles)[number]

/** What can become of one invocation. */
export const processTroubles = ['killed', 'frozen', 'clock off', 'clock jumps'] as const
/** What can become of the schedule. */
export const scheduleTroubles = ['missed tick', 'duplicate tick'] as const
/** What people do, and in doing so may get in the way. */
export const peopleActs = [
  'enroll',
  'rotate',
  'edit by hand',
  'restore',
  'delete ledger item',
  'overwrite consumer secret',
] as const
export type PeopleAct = (typeof peopleActs)[number]

export const services = ['secrets', 'ledger', 'parameters', 'events', 'vendor'] as const
export type Service = (typeof services)[number]

export type Trouble =
  | StoreTrouble
  | VendorTrouble
  | (typeof processTroubles)[number]
  | (typeof scheduleTroubles)[number]
  | 'outage'
  | 'stale read'
  | PeopleAct

/** How bad each kind of trouble is in one world, and when whole services are away. */
export interface Weather {
  /** Probability by the occasion: a call, an invocation, a tick, an hour of people. */
  readonly rate: (trouble: Trouble) => number
  readonly isAway: (service: Service, now: Instant) => boolean
  readonly isAnyAway: (now: Instant) => boolean
}

const rates = [0, 0, 0.003, 0.02, 0.08]
const peopleRates = [0, 0, 0, 0.05, 0.3]

/**
 * Every world has a weather of its own: some kinds of trouble never, others now and then or all the
 * time. Worlds in which everything happens at once would hide what a few kinds do together.
 */
export function weatherOf(chance: Chance, start: Instant, end: Instant): Weather {
  const rate = new Map<Trouble, number>()
  const isCalm = chance.happens(0.1)
  const kinds = new Set<Trouble>([
    ...storeTroubles,
    ...vendorTroubles,
    ...processTroubles,
    ...scheduleTroubles,
    'stale read',
  ])
  for (const kind of kinds) rate.set(kind, isCalm ? 0 : chance.one(rates))
  for (const act of peopleActs) rate.set(act, isCalm ? 0 : chance.one(peopleRates))
  const outages: { service: Service; from: Instant; to: Instant }[] = []
  const count = isCalm ? 0 : chance.one([0, 0, 1, 2, 4])
  for (let number = 0; number < count; number++) {
    const from = chance.between(start, end)
    const longest = chance.one([60_000, 600_000, 7_200_000])
    const to = Math.min(end, from + chance.between(1000, longest))
    outages.push({ service: chance.one(services), from, to })
  }
  return {
    rate: (trouble) => rate.get(trouble) ?? 0,
    isAway: (service, now) =>
      outages.some((outage) => outage.service === service && outage.from <= now && now < outage.to),
    isAnyAway: (now) => outages.some(({ from, to }) => from <= now && now < to),
  }
}
