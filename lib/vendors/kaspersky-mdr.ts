import * as v from 'valibot'
import { oncePerConnection, VendorUrl } from '../core/connection.ts'
import { ConfigError, GrantRefusedError, ResponseError, VerifyFailedError } from '../core/errors.ts'
import { later } from '../core/renewal.ts'
import type { HeldTokens, HttpAnswer, TokenSet, Vendor } from '../core/vendor.ts'
import { claimsOf, keysOf, lifetimeSeconds, WireToken } from './token.ts'

/** Documented lifetimes, in seconds: access 1 h, refresh 7 d (one made in a console: 24 h). */
const accessSeconds = 3600
const refreshSeconds = 7 * 86_400
const access = { longest: accessSeconds, otherwise: accessSeconds }
const refresh = { longest: refreshSeconds, otherwise: refreshSeconds }

// A refresh token that ran out less than this ago may still be taken by a vendor whose clock is behind.
const skewSeconds = 60

const ClientId = v.pipe(
  v.string(),
  v.regex(/^[\w.-]{1,128}$/, 'allowed are 1 to 128 letters, digits, dots, dashes and underscores'),
)

const Options = v.strictObject({
  /** Tenant of the API connection, as the console shows it; may be enrolled instead. */
  clientId: v.optional(ClientId),
  /** Root of the service; its one public host by default. */
  url: v.optional(VendorUrl, 'https://mdr.kaspersky.com'),
})
const optionsOf = oncePerConnection(({ options }) => v.parse(Options, options))

const Enrolled = v.object({ clientId: v.optional(ClientId) })

const Half = v.object({ refresh_token: WireToken })
const Answer = v.object({ access_token: WireToken, ...Half.entries })

/**
 * Kaspersky Managed Detection and Response. Every refresh token buys one new pair and is dead
 * afterwards; it is the only credential, and no call restarts a broken chain.
 *
 * Not documented, and how it is met: the status of a refusal (400, 401, 403 and 200 with `error` all
 * count as one), lifetimes in the answer (read from the JWTs, at most the documented ones), whether
 * an older access token outlives a rotation (not relied on).
 *
 * @see https://support.kaspersky.com/MDR/en-US/204470.htm lifetimes
 * @see https://support.kaspersky.com/MDR/en-US/258285.htm the call
 */
export const kasperskyMdr: Vendor = {
  id: 'kaspersky-mdr',
  title: 'Kaspersky MDR',
  options: Options,
  credentialFields: ['clientId', 'refreshToken'],
  spends: () => 'refresh-token',
  // Two days: enough for a person to reach the console before the chain is gone.
  refreshAlarmSeconds: 2 * 86_400,
  enrollmentSteps: [
    'open Kaspersky Security Center (or MDR Web Console), section MDR, tab API',
    'choose the API connection in state "Pending activation", or add one',
    'press Refresh beside the JWT token; copy the client id and the refresh token (valid 24 hours, usable once)',
  ],
  url: (connection) => new URL(optionsOf(connection).url).origin,
  accessLifetimeSeconds: () => accessSeconds,

  connect(connection, credential, http) {
    const { clientId: configured, url } = optionsOf(connection)
    const enrolled = v.safeParse(Enrolled, credential)
    if (!enrolled.success) throw new ConfigError('clientId', 'has the wrong shape; allowed is text')
    const clientId = configured ?? enrolled.output.clientId
    if (clientId === undefined) {
      throw new ConfigError(
        'clientId',
        'is neither configured nor enrolled; copy it from the console',
      )
    }
    if (enrolled.output.clientId !== undefined && enrolled.output.clientId !== clientId) {
      throw new ConfigError('clientId', 'differs between configuration and enrollment secret')
    }
    // The service is rooted at /api/v1 (client code); a configured URL may already end in it.
    const root = `${url.replace(/\/+$/, '').replace(/\/api\/v1$/, '')}/api/v1/${clientId}`

    return {
      grants: [
        {
          name: 'refresh_token',
          spends: 'refresh-token',
          usable: hasRefreshToken,
          async request(held, call) {
            // JSON body and no Authorization: departs from the form of RFC 6749, section 6.
            const answer = await http.request({
              name: 'session/confirm',
              method: 'POST',
              url: `${root}/session/confirm`,
              json: { refresh_token: held.refreshToken?.reveal() },
              timeoutSeconds: call.timeoutSeconds,
            })
            return readPair(answer, call.now)
          },
        },
      ],
      headers: ({ accessToken }) => ({ Authorization: `Bearer ${accessToken.reveal()}` }),
      async verify({ accessToken }, call) {
        const answer = await http.request({
          name: 'incidents/count',
          method: 'POST',
          url: `${root}/incidents/count`,
          headers: { authorization: `Bearer ${accessToken.reveal()}` },
          json: {},
          timeoutSeconds: call.timeoutSeconds,
        })
        return readCount(answer)
      },
      close: http.close,
    }
  },
}

/** Sent only while it can be alive: a token that has certainly run out is not spent for nothing. */
function hasRefreshToken({ refreshToken, refreshExpiresAt }: HeldTokens, now: Date): boolean {
  if (refreshToken === undefined) return false
  const end = refreshExpiresAt ?? claimsOf(refreshToken).exp
  return end === undefined || later(end, skewSeconds) > now
}

/** The pair of a 200. An `error` key means refusal whatever the status says (vendor's sample). */
function readPair({ status, json }: HttpAnswer, now: Date): TokenSet {
  const hasError = typeof json === 'object' && json !== null && 'error' in json
  if ((status === 200 && hasError) || status === 400 || status === 401 || status === 403) {
    throw new GrantRefusedError('the vendor refused the refresh token', {
      reason: 'invalid_grant',
      status,
    })
  }
  const pair = v.safeParse(Answer, json)
  if (status !== 200 || !pair.success) {
    const half = v.safeParse(Half, json)
    throw new ResponseError('session/confirm gave no token pair', {
      status,
      keys: keysOf(json),
      ...(status === 200 && half.success
        ? { kept: { issuedAt: now, ...refreshPart(half.output, now) } }
        : {}),
    })
  }
  const { access_token: accessToken } = pair.output
  return {
    accessToken,
    tokenType: 'Bearer',
    issuedAt: now,
    expiresAt: later(now, lifetimeSeconds(accessToken, now, access)),
    ...refreshPart(pair.output, now),
  }
}

function refreshPart({ refresh_token: refreshToken }: v.InferOutput<typeof Half>, now: Date) {
  const refreshExpiresAt = later(now, lifetimeSeconds(refreshToken, now, refresh))
  return { refreshToken, refreshExpiresAt, grant: 'refresh_token' }
}

const Count = v.object({ count: v.pipe(v.number(), v.integer()) })

/** 401 and 403 alike mean a token that does not work: clients in the field refresh on 403 only. */
function readCount({ status, json }: HttpAnswer) {
  if (status === 401 || status === 403) {
    throw new VerifyFailedError(
      `incidents/count refused the new access token (status ${status}); if it stays so, check the licence and the role of the API connection`,
      true,
    )
  }
  if (status !== 200 || !v.is(Count, json)) {
    throw new VerifyFailedError(`incidents/count gave no count (status ${status})`, false)
  }
  return {}
}
