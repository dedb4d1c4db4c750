import { v1 as uuidV1 } from 'uuid'
import type { Bench } from './rules.ts'
import { expiry, signToken } from './token.ts'

/**
 * "A maximum of 5 active HTTPS sessions": device-manager logins and API tokens together; a sixth
 * silently ends the oldest.
 *
 * @see https://www.cisco.com/c/en/us/td/docs/security/firepower/ftd-api/guide/ftd-rest-api/auth-ftd-rest-api.html
 */
const MAX_SESSIONS = 5
/** `refreshCount` of a pair that may be refreshed without end. */
export const UNLIMITED = -1

/** What a pair is issued for; a refresh issues the next one for the same. */
export interface SessionTerms {
  readonly origin: 'password' | 'custom'
  readonly subject: string
  /** Seconds as asked for, before `speed`. */
  readonly accessSeconds: number
  readonly refreshSeconds: number
  readonly refreshCount: number
}

/** One HTTPS session: an API token, named by its `jti` through every refresh, or a GUI login. */
export interface Session {
  readonly id: string
  /** Absent for an administrator's login to the device manager. */
  readonly terms?: SessionTerms
  refreshesLeft: number
  /** When its last usable token expires; a GUI login has no such end here. */
  aliveUntil: Date | undefined
  ended: boolean
  /** The instant of the last issue, as its tokens claim it. */
  stampMs: number
}

/** A token answer as it stands on the wire. */
export interface TokenPair {
  readonly access_token: string
  readonly expires_in: number
  readonly token_type: 'Bearer'
  readonly refresh_token?: string
  readonly refresh_expires_in?: number
}

export interface Sessions {
  open(terms: SessionTerms, now: Date, withRefreshToken: boolean): Promise<TokenPair>
  openLogin(now: Date): Session
  /** The next pair of a session; one refresh is counted off. */
  renew(session: Session, now: Date, options: RenewOptions): Promise<TokenPair>
  /** The session of an access token that works now. */
  authorizedBy(accessToken: string, now: Date): Session | undefined
  /** The session of an access or refresh token, however old. */
  of(token: string): Session | undefined
  alive(now: Date): Session[]
  end(session: Session): void
}

export interface RenewOptions {
  readonly withRefreshToken: boolean
  /** Whether the access tokens issued so far stop working. */
  readonly endsOldAccess: boolean
}

export function createSessions(bench: Bench): Sessions {
  const { chains, tally } = bench
  const key = bench.random(32)
  const sessions = new Map<string, Session>()
  const accessTokens = new Map<string, { session: Session; expiresAt: Date }>()

  /** Tokens of one session differ by their milliseconds alone, so no two may claim the same. */
  function stamp(session: Session, now: Date): number {
    session.stampMs = Math.max(now.getTime(), session.stampMs + 1)
    return session.stampMs - now.getTime()
  }

  function alive(now: Date): Session[] {
    return [...sessions.values()].filter(
      ({ ended, aliveUntil }) => !ended && (aliveUntil === undefined || now < aliveUntil),
    )
  }

  function end(session: Session): void {
    session.ended = true
    chains.revoke(session.id)
  }

  function admit(
    now: Date,
    session: Pick<Session, 'terms' | 'refreshesLeft' | 'aliveUntil'>,
  ): Session {
    const oldest = alive(now).slice(0, Math.max(0, alive(now).length - MAX_SESSIONS + 1))
    for (const one of oldest) {
      end(one)
      tally.evictions += 1
    }
    const id = uuidV1({ random: bench.random(16), msecs: now.getTime(), nsecs: 0 })
    const admitted = { ...session, id, ended: false, stampMs: 0 }
    sessions.set(id, admitted)
    return admitted
  }

  async function issue(
    session: Session,
    terms: SessionTerms,
    now: Date,
    withRefreshToken: boolean,
  ): Promise<TokenPair> {
    const { origin, subject } = terms
    const shiftMs = stamp(session, now)
    const accessSeconds = bench.lifetime(terms.accessSeconds)
    const refreshSeconds = Math.max(accessSeconds + 1, bench.lifetime(terms.refreshSeconds))
    const access = expiry(now, accessSeconds)
    const refresh = expiry(now, refreshSeconds)
    const usable = withRefreshToken && session.refreshesLeft !== 0
    session.aliveUntil = usable ? refresh.at : access.at
    const iat = Math.floor(now.getTime() / 1000)
    const common = { iat, sub: subject, jti: session.id, nbf: iat }
    const access_token = await signToken(
      {
        ...common,
        exp: access.exp,
        ...(withRefreshToken && { refreshTokenExpiresAt: refresh.at.getTime() + shiftMs }),
        tokenType: 'JWT_Access',
        origin,
      },
      key,
    )
    accessTokens.set(access_token, { session, expiresAt: access.at })
    tally.issued += 1
    const answer = { access_token, expires_in: accessSeconds, token_type: 'Bearer' } as const
    if (!withRefreshToken) return answer
    const refresh_token = await signToken(
      {
        ...common,
        exp: refresh.exp,
        accessTokenExpiresAt: access.at.getTime() + shiftMs,
        refreshCount: session.refreshesLeft,
        tokenType: 'JWT_Refresh',
        origin,
      },
      key,
    )
    chains.add({ chain: session.id, token: refresh_token, expiresAt: refresh.at, usable })
    return { ...answer, refresh_token, refresh_expires_in: refreshSeconds }
  }

  return {
    open(terms, now, withRefreshToken) {
      const session = admit(now, { terms, refreshesLeft: terms.refreshCount, aliveUntil: now })
      return issue(session, terms, now, withRefreshToken)
    },
    openLogin: (now) => admit(now, { refreshesLeft: 0, aliveUntil: undefined }),
    renew(session, now, { withRefreshToken, endsOldAccess }) {
      if (session.terms === undefined) throw new TypeError('a GUI login has no tokens')
      if (session.refreshesLeft > 0) session.refreshesLeft -= 1
      if (endsOldAccess) {
        for (const [token, held] of accessTokens) {
          if (held.session === session) accessTokens.delete(token)
        }
      }
      return issue(session, session.terms, now, withRefreshToken)
    },
    authorizedBy(accessToken, now) {
      const held = accessTokens.get(accessToken)
      return held !== undefined && !held.session.ended && now < held.expiresAt
        ? held.session
        : undefined
    },
    of: (token) => accessTokens.get(token)?.session ?? sessions.get(chains.chainOf(token) ?? ''),
    alive,
    end,
  }
}
