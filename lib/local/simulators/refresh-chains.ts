/** What a refresh token is worth: `spent` also when it was issued without any refresh left in it. */
export type Holding = 'live' | 'spent' | 'expired' | 'revoked' | 'unknown'

/** A line of refresh tokens, each bought with the one before. */
export interface Chain {
  readonly id: string
  /** Refresh tokens issued on it so far. */
  readonly issued: number
  /** Whether its newest token still buys a pair. If it does and nobody holds it, a pair was lost. */
  readonly tipLive: boolean
}

export interface NewRefreshToken {
  readonly chain: string
  readonly token: string
  readonly expiresAt: Date
  /** False for a token that carries no refresh any more. @default true */
  readonly usable?: boolean
}

/** Every refresh token a simulator has issued: the truth that spends and losses are counted from. */
export interface RefreshChains {
  add(token: NewRefreshToken): void
  holds(token: string, now: Date): Holding
  /** The chain a token belongs to, in whatever state. */
  chainOf(token: string): string | undefined
  /** Whether an earlier presentation has used this token up. */
  consumed(token: string): boolean
  consume(token: string): void
  /** Ends a chain: its unspent tokens are worth nothing from now on. */
  revoke(chain: string): void
  list(now: Date): Chain[]
}

interface Entry {
  readonly chain: string
  readonly expiresAt: Date
  readonly usable: boolean
  consumed: boolean
}

export function createRefreshChains(): RefreshChains {
  const entries = new Map<string, Entry>()
  const chains = new Map<string, { issued: number; tip: string; revoked: boolean }>()

  function holds(token: string, now: Date): Holding {
    const entry = entries.get(token)
    if (entry === undefined) return 'unknown'
    if (entry.consumed || !entry.usable) return 'spent'
    if (chains.get(entry.chain)?.revoked === true) return 'revoked'
    return now >= entry.expiresAt ? 'expired' : 'live'
  }

  return {
    add({ chain, token, expiresAt, usable = true }) {
      entries.set(token, { chain, expiresAt, usable, consumed: false })
      const known = chains.get(chain)
      if (known === undefined) chains.set(chain, { issued: 1, tip: token, revoked: false })
      else chains.set(chain, { ...known, issued: known.issued + 1, tip: token })
    },
    holds,
    chainOf: (token) => entries.get(token)?.chain,
    consumed: (token) => entries.get(token)?.consumed === true,
    consume(token) {
      const entry = entries.get(token)
      if (entry !== undefined) entry.consumed = true
    },
    revoke(chain) {
      const known = chains.get(chain)
      if (known !== undefined) known.revoked = true
    },
    list: (now) =>
      [...chains].map(([id, { issued, tip }]) => ({
        id,
        issued,
        tipLive: holds(tip, now) === 'live',
      })),
  }
}
