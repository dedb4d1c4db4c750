import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import * as v from 'valibot'
import { Redacted } from '../core/redacted.ts'

/**
 * A token from the wire: printable ASCII without spaces (RFC 6749, appendix A.12 and A.17). One with
 * CR or LF would inject headers at every consumer.
 */
export const WireToken = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7e]+$/),
  v.transform((text) => new Redacted(text)),
)

/** Claims of a JWT that adapters use as hints. No signature is checked: no vendor publishes a key. */
export interface Claims {
  readonly exp?: Date
  readonly iat?: Date
  readonly other: Readonly<Record<string, unknown>>
}

/** What a token says of itself; nothing if it is not a JWT. */
export function claimsOf(token: Redacted): Claims {
  const text = token.reveal()
  // Most are opaque: no error is made only to be dropped.
  if (text.split('.').length !== 3) return { other: {} }
  try {
    const { exp, iat, ...other } = decodeJwt(text)
    return { ...instant('exp', exp), ...instant('iat', iat), other }
  } catch {
    return { other: {} }
  }
}

function instant<K extends string>(name: K, seconds: unknown): { [key in K]?: Date } {
  const isInstant = typeof seconds === 'number' && seconds > 0 && seconds < 1e11
  return (isInstant ? { [name]: new Date(seconds * 1000) } : {}) as { [key in K]?: Date }
}

/**
 * Seconds that a token lives, by what it says of itself: `exp - iat` if both are there, which no
 * clock difference touches; else what is left until `exp` by our clock. Never more than `longest`;
 * `otherwise` if the token says nothing usable.
 */
export function lifetimeSeconds(
  token: Redacted,
  now: Date,
  { longest, otherwise }: { longest: number; otherwise: number },
): number {
  const { exp, iat } = claimsOf(token)
  if (exp === undefined) return otherwise
  const seconds = (exp.getTime() - (iat ?? now).getTime()) / 1000
  // In the past by our clock: the clocks differ, not the token. It was made just now.
  return seconds > 0 ? Math.min(seconds, longest) : otherwise
}

/**
 * Names of the keys of an answer, for an error message: never their values, and only words, for a
 * server that repeats what it was sent may put a token there.
 */
export function keysOf(json: unknown): string[] {
  if (typeof json !== 'object' || json === null) return []
  return Object.keys(json)
    .filter(
      (key) => key.length <= 24 && /^[A-Z]?[a-z]{2,}(?:[_-][a-z]{2,}|[A-Z][a-z]{2,})*$/.test(key),
    )
    .slice(0, 12)
}

/**
 * An id out of an answer, fit for the ledger and for messages: what has not the usual form of such an
 * id, e.g. the token that was sent and comes back in its place, is known by a digest.
 */
export function shownId(id: string, usual: RegExp): string {
  if (usual.test(id)) return id
  return `digest ${createHash('sha256').update(id).digest('base64url').slice(0, 16)}`
}
