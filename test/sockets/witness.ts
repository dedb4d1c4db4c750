import type { Holding } from '../../lib/local/simulators/refresh-chains.ts'
import type { Exchange } from './fault-proxy.ts'
import type { Answered } from './faults.ts'

const inJson = /"refresh_?[tT]oken"\s*:\s*(?:\{\s*"tokenValue"\s*:\s*)?"([^"]+)"/
const inForm = /(?:^|[?&])refresh_token=([^&\s]+)/

/** The refresh token that a request presents, whatever the vendor calls it and wherever it stands. */
export function presentedIn({ path, body }: Pick<Exchange, 'path' | 'body'>): string | undefined {
  const json = inJson.exec(body)?.[1]
  if (json !== undefined) return json
  const form = (inForm.exec(body) ?? inForm.exec(path))?.[1]
  return form === undefined ? undefined : decodeURIComponent(form)
}

interface Token {
  /** Bought with it; empty for a token that never bought anything. */
  readonly bought: string[]
  /** Times that the vendor was given it. */
  presented: number
  isStored: boolean
}

/**
 * What is true of one connection, seen from outside: which refresh tokens the vendor gave and was
 * given, and which of them a store has ever acknowledged. The engine is not asked about itself.
 */
export function createWitness(holds: (token: string) => Holding) {
  const tokens = new Map<string, Token>()
  const counts = { doubleSpends: 0, probes: 0 }
  let newest: string | undefined
  const of = (token: string): Token => {
    const known = tokens.get(token)
    if (known !== undefined) return known
    const found: Token = { bought: [], presented: 0, isStored: false }
    tokens.set(token, found)
    return found
  }
  return {
    /** Used-up tokens presented again: the one repetition that the design allows, and all others. */
    counts,
    /** The newest token that a store acknowledged, or a person enrolled. */
    newest: () => newest,
    enrolled(token: string) {
      of(token).isStored = true
      newest = token
    },
    forwarded(exchange: Exchange) {
      const presented = presentedIn(exchange)
      if (presented === undefined) return
      const token = of(presented)
      token.presented += 1
      if (token.presented === 1 || holds(presented) === 'live') return
      const isAllowed = token.presented === 2 && !token.bought.some((one) => of(one).isStored)
      counts[isAllowed ? 'probes' : 'doubleSpends'] += 1
    },
    answered(exchange: Exchange, { status, body }: Answered) {
      if (status !== 200) return
      const given = inJson.exec(body.toString('utf8'))?.[1]
      if (given === undefined) return
      of(given)
      const presented = presentedIn(exchange)
      if (presented !== undefined && presented !== given) of(presented).bought.push(given)
    },
    /** A store has acknowledged this text. */
    stored(text: string) {
      for (const [name, token] of tokens) {
        if (token.isStored || !text.includes(name)) continue
        token.isStored = true
        newest = name
      }
    },
    /**
     * Why a person is needed, if the newest stored token is worth nothing any more: `lost` says that
     * the rotator had all it needed.
     */
    verdict(): 'unavoidable' | 'never-arrived' | 'lost' {
      if (newest === undefined) return 'lost'
      const { presented, bought } = of(newest)
      // Announced twice and interrupted twice before the vendor saw it: still good, and given up.
      if (presented === 0 || holds(newest) === 'live') return 'never-arrived'
      return bought.length > 0 && bought.every((one) => !of(one).isStored) ? 'unavoidable' : 'lost'
    },
  }
}

export type Witness = ReturnType<typeof createWitness>
