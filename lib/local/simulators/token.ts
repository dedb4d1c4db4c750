import { type JWTPayload, SignJWT } from 'jose'

/**
 * An HS256 JWT with the header `{"alg":"HS256"}`. Nothing here ever verifies one: a simulator knows
 * the tokens it has issued by heart, and what it does not know is not genuine.
 */
export function signToken(claims: JWTPayload, key: Uint8Array): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(key)
}

/**
 * When a token issued at `from` ends: the instant, and the claim in whole seconds, cut off, so that
 * no client ever counts on a token for longer than it lives.
 */
export function expiry(from: Date, lifetimeSeconds: number): { at: Date; exp: number } {
  const at = new Date(from.getTime() + lifetimeSeconds * 1000)
  return { at, exp: Math.floor(at.getTime() / 1000) }
}
