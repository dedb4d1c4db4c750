import { parse, stringify } from 'lossless-json'
import type { Bench } from './rules.ts'

/** Who answers: the server itself, one below it, or an agent on a host. */
export type Node = 'primary' | 'secondary' | 'agent'

/** 32 bits; the id that the vendor's samples look up by `ServerHierarchy.GetChildServers`. */
export const SLAVE_SERVER_ID = 3

/** An agent is reached from where it is managed; here both servers manage the one host. */
const ways: readonly { readonly from: Node; readonly to: Node }[] = [
  { from: 'primary', to: 'secondary' },
  { from: 'primary', to: 'agent' },
  { from: 'secondary', to: 'agent' },
]

/** A primary server, a secondary one, and an agent, with the locations by which they are found. */
export interface Network {
  readonly hostId: string
  /** JSON text of the location of `to` as `from` tells it; nothing where there is no such way. */
  location(from: Node, to: Node): string | undefined
  /** Where tagged locations, outermost first, lead from the primary; nothing if one is not genuine. */
  destination(locations: readonly unknown[]): Node | undefined
}

/**
 * Locations are opaque: what comes back is compared as a whole. They hold one of every kind of value
 * that clients must carry unharmed, a 64-bit integer and a nested container among them.
 */
export function createNetwork({ random, now }: Pick<Bench, 'random' | 'now'>): Network {
  const hex = (size: number) => Buffer.from(random(size)).toString('hex')
  const hostId = [4, 2, 2, 2, 6].map(hex).join('-')
  const locations = ways.map(({ from, to }, index) => ({
    from,
    to,
    text: stringify({
      KLGW_NODE: to,
      KLGW_ROUTE: hex(8),
      KLGW_PORT: 13000 + index,
      KLGW_SSL: true,
      KLGW_VIA: ['gw-1', 'gw-2'],
      // 2^53 and more: a client that reads it as a double gives another one back.
      KLGW_INSTANCE: { type: 'long', value: 9_007_199_254_740_993n + BigInt(index) },
      KLGW_SEEN: { type: 'datetime', value: `${now().toISOString().slice(0, 19)}Z` },
      KLGW_EXTRA: { type: 'params', value: { KLGW_TAG: hex(2) } },
    }) as string,
  }))
  return {
    hostId,
    location: (from, to) => locations.find((way) => way.from === from && way.to === to)?.text,
    destination(given) {
      let at: Node | undefined = 'primary'
      for (const one of given) {
        const text = canonical(untagged(one))
        const way = locations.find(({ from, text: known }) => from === at && same(known, text))
        at = way?.to
      }
      return given.length === 0 ? undefined : at
    },
  }
}

function same(known: string, text: string): boolean {
  return canonical(parse(known)) === text
}

/** The value of `{"type":"params","value":…}`; inside an array params must be tagged. */
function untagged(value: unknown): unknown {
  const { type, value: inner } = (value ?? {}) as { type?: unknown; value?: unknown }
  return type === 'params' ? inner : undefined
}

/**
 * One text for all that means the same: members sorted, and containers without their tag, which the
 * vendor's client puts around every nested object.
 */
function canonical(value: unknown): string {
  return stringify(value, (_key, member) => sorted(member)) ?? ''
}

function sorted(member: unknown): unknown {
  if (typeof member !== 'object' || member === null || Array.isArray(member)) return member
  if ('isLosslessNumber' in member) return member
  const { type, value } = member as { type?: unknown; value?: unknown }
  const shown = type === 'params' && typeof value === 'object' && value !== null ? value : member
  return Object.fromEntries(Object.entries(shown).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
