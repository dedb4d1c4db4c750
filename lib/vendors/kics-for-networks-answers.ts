import * as v from 'valibot'
import { ConfigError, GrantRefusedError, ResponseError, VerifyFailedError } from '../core/errors.ts'
import { later } from '../core/renewal.ts'
import type { HttpAnswer, TokenSet } from '../core/vendor.ts'
import { keysOf, WireToken } from './token.ts'

export type GrantName = 'refresh_token' | 'certificate'

/**
 * Life of an access token, in seconds: 1 to 43200 minutes, what `logon_session_timeout` takes. What
 * lies outside is in another unit, or nonsense.
 *
 * @see https://support.kaspersky.com/kics-for-networks/4.0/215705
 */
const shortestSeconds = 60
const longestSeconds = 2_592_000

// `token_type` is lower-case on the wire. A later grant costs nothing, so no oddity has to be taken.
const RefreshPart = v.object({
  refresh_token: v.nullish(v.union([WireToken, v.literal('')])),
})
const Answer = v.object({
  access_token: WireToken,
  token_type: v.pipe(v.string(), v.regex(/^bearer$/i)),
  expires_in: v.pipe(v.number(), v.minValue(shortestSeconds), v.maxValue(longestSeconds)),
  ...RefreshPart.entries,
})

const wanted: Readonly<Record<string, string>> = {
  access_token: 'printable ASCII without spaces',
  token_type: 'bearer',
  expires_in: `a number of seconds from ${shortestSeconds} to ${longestSeconds}`,
  refresh_token: 'printable ASCII without spaces, or nothing',
}

/**
 * Reads the answer of the token URL. The lifetime is counted by our own clock from before the request,
 * so the vendor's clock does not matter. A refresh token is taken to die with the access token: an
 * extension "must be requested before it expires", and its own life is not documented.
 *
 * @throws {GrantRefusedError} 401 and 403; 400 to a refresh, whose refusal is not documented
 * @throws {ConfigError} there is nothing at the token URL, or it sends elsewhere
 * @throws {ResponseError} anything else; after a refresh the token counts as spent
 */
export function readTokens(answer: HttpAnswer, grant: GrantName, now: Date): TokenSet {
  const { status, json } = answer
  refuseStatus(status, grant)
  const decoded = v.safeParse(Answer, json)
  if (status !== 200 || !decoded.success) {
    const field = decoded.success ? undefined : v.getDotPath(decoded.issues[0])
    const what = isRedirect(status)
      ? 'with a redirect, which is not followed'
      : status !== 200 || !field
        ? 'without a token'
        : `with an unusable ${field}; allowed is ${wanted[field]}`
    const half = v.safeParse(RefreshPart, json)
    const refreshToken = status === 200 && half.success && half.output.refresh_token
    throw new ResponseError(`the token URL answered the ${grant} grant ${what}`, {
      status,
      keys: keysOf(json),
      ...(refreshToken ? { kept: { refreshToken, issuedAt: now, grant } } : {}),
    })
  }
  const { access_token: accessToken, expires_in, refresh_token: refreshToken } = decoded.output
  const expiresAt = later(now, expires_in)
  return {
    accessToken,
    tokenType: 'Bearer',
    issuedAt: now,
    expiresAt,
    grant,
    ...(refreshToken ? { refreshToken, refreshExpiresAt: expiresAt } : {}),
  }
}

function refuseStatus(status: number, grant: GrantName): void {
  if (grant === 'refresh_token') {
    if (status !== 400 && status !== 401 && status !== 403) return
    throw new GrantRefusedError('the token URL refused the refresh token', {
      reason: 'invalid_grant',
      status,
    })
  }
  if (status === 401 || status === 403) {
    throw new GrantRefusedError(
      'the token URL refused the client certificate: its package was superseded, its connector deleted, or the user behind it blocked',
      { reason: 'access_denied', status },
    )
  }
  // A grant that spends nothing was answered so: the address is wrong, whatever a refresh met before.
  if (status === 404 || status === 405 || isRedirect(status)) {
    const found = isRedirect(status) ? 'a redirect, which is not followed' : 'no token path'
    throw new ConfigError(
      'tokenUrl',
      `found ${found} (status ${status}); allowed is the final address, e.g. https://192.0.2.30:8080/kics/api/auth/v4/token, or the same below /kics4net/api`,
    )
  }
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400
}

const About = v.object({ version: v.string() })

/** Whether `about` shows that the token works. Rights are checked on each request, hence 403 as well. */
export function readAbout({ status, json }: HttpAnswer): void {
  if (status === 401 || status === 403) {
    throw new VerifyFailedError(
      `about refused the new access token (status ${status}); if it stays so, check the application user behind the connector`,
      true,
    )
  }
  if (status !== 200 || !v.is(About, json)) {
    throw new VerifyFailedError(
      `about told no version (status ${status}); compare url with the address of the connector, path prefix included`,
      false,
    )
  }
}
