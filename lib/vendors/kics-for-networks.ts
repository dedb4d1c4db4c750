import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import * as v from 'valibot'
import { oncePerConnection, VendorUrl } from '../core/connection.ts'
import { ConfigError, GrantRefusedError, TransportError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import { later } from '../core/renewal.ts'
import type { Call, Credential, HeldTokens, TokenSet, Vendor } from '../core/vendor.ts'
import { alarmDays } from '../core/verify.ts'
import { type GrantName, readAbout, readTokens } from './kics-for-networks-answers.ts'

const Options = v.strictObject({
  /** Base of the API, prefix included, e.g. `https://192.0.2.30:8080/kics/api` or `…/kics4net/api`. */
  url: VendorUrl,
  /** Where tokens are granted, e.g. `https://192.0.2.30:8080/kics/api/auth/v4/token`. */
  tokenUrl: VendorUrl,
  /** Version below `url` whose `about` proves a token; `v3` by default, which every release has. */
  apiVersion: v.optional(v.pipe(v.string(), v.regex(/^v[1-9]\d?$/, 'allowed is v3, v4, …')), 'v3'),
  /** The Server's `logon_session_timeout`, 1 to 43200 min; 600 by default. Plans; tokens say their own. */
  sessionMinutes: v.optional(
    v.pipe(
      v.number(),
      v.integer('allowed is a whole number of minutes'),
      v.minValue(1, 'allowed is 1 or more'),
      v.maxValue(43_200, 'allowed is 43200 or less'),
    ),
    600,
  ),
})
const optionsOf = oncePerConnection(({ options }) => v.parse(Options, options))

/** Two ticks, in seconds: a token that lives shorter may end before it can be renewed. */
const shortSeconds = 120

/**
 * Kaspersky Industrial CyberSecurity for Networks, and other products with the same connector API
 * (KATA). The client certificate of a connector is the root credential and buys a pair at any time,
 * without a person; the refresh token is a mere cache of it, so no loss of it is ever final.
 *
 *     certificate (mTLS) ──► pair, 10 h by default ──refresh──► …
 *            ▲                                           │ refused, or no clear answer
 *            └───────────────────────────────────────────┘
 *
 * Both grants are POSTs without a body: grant and refresh token stand in the query string, which
 * therefore never reaches a message. The certificate is shown in both.
 *
 * Not documented, and how it is met: whether a refresh token may be used twice (treated as spent) and
 * how long it lives (as long as its access token); what a refusal looks like (TLS alert, 400, 401 and
 * 403); the unit of `expires_in` (seconds).
 *
 * @see https://support.kaspersky.com/help/KICSforNetworks/4.1/kics4netAPI/PublicApi-Auth-v4.html
 * @see https://support.kaspersky.com/KICSforNetworks/4.0/en-US/155165.htm ten hours
 */
export const kicsForNetworks: Vendor = {
  id: 'kics-for-networks',
  title: 'Kaspersky Industrial CyberSecurity for Networks',
  options: Options,
  credentialFields: [
    'pfx',
    'pfxPassword',
    'certificate',
    'privateKey',
    'serverCertificate',
    'refreshToken',
  ],
  spends: () => 'refresh-token',
  enrollmentSteps: [
    'open the web interface of KICS for Networks as Administrator, section Settings, Connectors',
    'check that the connector is there, enabled, and that the application user behind it is not blocked',
    'if its certificate ended or was superseded, create a new communication data package with a password; the former certificate dies at once',
    'take certificates.pfx from the package; enroll its Base64 as pfx, and the password as pfxPassword',
  ],
  url: (connection) => new URL(optionsOf(connection).url).origin,
  accessLifetimeSeconds: (connection) => optionsOf(connection).sessionMinutes * 60,
  prepare: async (fields) => (await import('./kics-for-networks-package.ts')).convert(fields),
  tlsMaterial(credential) {
    const { certificate, privateKey, serverCertificate } = readCredential(credential)
    const clientCertificate = { certificate, privateKey }
    return serverCertificate === undefined
      ? { clientCertificate }
      : { clientCertificate, ca: serverCertificate }
  },

  connect(connection, credential, http) {
    const { url, tokenUrl, apiVersion } = optionsOf(connection)
    const { notAfter } = readCredential(credential)
    const base = url.replace(/\/+$/, '')

    const ask = async (grant: GrantName, token: Redacted | undefined, call: Call) => {
      const query = new URLSearchParams({
        grant_type: grant,
        ...(token === undefined ? {} : { refresh_token: token.reveal() }),
      })
      try {
        const answer = await http.request({
          name: 'auth/token',
          method: 'POST',
          url: `${tokenUrl}?${query}`,
          timeoutSeconds: call.timeoutSeconds,
        })
        const tokens = readTokens(answer, grant, call.now)
        return { ...tokens, ...renewAt(tokens, notAfter) }
      } catch (error) {
        throw refusalOf(error, notAfter, call.now)
      }
    }

    return {
      grants: [
        {
          name: 'refresh_token',
          spends: 'refresh-token',
          usable: hasRefreshToken,
          request: (held, call) => ask('refresh_token', held.refreshToken, call),
        },
        {
          name: 'certificate',
          spends: 'nothing',
          usable: () => true,
          request: (_held, call) => ask('certificate', undefined, call),
        },
      ],
      headers: ({ accessToken }) => ({ Authorization: `Bearer ${accessToken.reveal()}` }),
      async verify({ accessToken, issuedAt, expiresAt }, call) {
        const answer = await http.request({
          name: 'about',
          method: 'GET',
          url: `${base}/${apiVersion}/about`,
          headers: { authorization: `Bearer ${accessToken.reveal()}` },
          timeoutSeconds: call.timeoutSeconds,
        })
        readAbout(answer)
        const lives = ((expiresAt ?? issuedAt).getTime() - issuedAt.getTime()) / 1000
        const { peerNotAfter } = answer
        return {
          certificates: [
            { name: 'client certificate', notAfter },
            ...(peerNotAfter === undefined
              ? []
              : [{ name: 'server certificate', notAfter: peerNotAfter }]),
          ],
          ...(lives < shortSeconds
            ? {
                warning: `tokens live for ${lives} s, less than two ticks of a minute; raise logon_session_timeout on the Server`,
              }
            : {}),
        }
      },
      close: http.close,
    }
  },
}

function hasRefreshToken({ refreshToken, refreshExpiresAt }: HeldTokens, now: Date): boolean {
  return refreshToken !== undefined && (refreshExpiresAt === undefined || refreshExpiresAt > now)
}

/** A certificate that TLS turned down is refused as surely as by a 401; the next grant needs it as well. */
function refusalOf(error: unknown, notAfter: Date, now: Date): unknown {
  if (!(error instanceof TransportError) || error.refused === undefined) return error
  const ended = notAfter > now ? '' : `; it ended at ${notAfter.toISOString()}`
  return new GrantRefusedError(
    `${error.message}: its package was superseded, or its connector deleted${ended}`,
    { reason: 'certificate_refused' },
    { cause: error },
  )
}

/** On the days that a person is told of the certificate's end, a token of 30 days must not be asleep. */
function renewAt({ issuedAt }: TokenSet, notAfter: Date): Pick<TokenSet, 'renewAt'> {
  const next = alarmDays
    .map((days) => later(notAfter, 1 - days * 86_400))
    .filter((alarm) => alarm > issuedAt)
    .sort((one, other) => one.getTime() - other.getTime())[0]
  return next === undefined ? {} : { renewAt: next }
}

const Pem = (kind: string) =>
  v.pipe(v.string(), v.includes(`-----BEGIN ${kind}`), v.includes('-----END '))

const Stored = v.object({
  pfx: v.optional(v.never()),
  pfxPassword: v.optional(v.never()),
  certificate: Pem('CERTIFICATE-----'),
  privateKey: Pem(''),
  serverCertificate: v.optional(Pem('CERTIFICATE-----')),
})

const shapes: Readonly<Record<string, string>> = {
  pfx: 'is a package that was not converted; allowed is PEM text: run token-rotator enroll, which converts it once',
  pfxPassword: 'is of use at enrollment only; run token-rotator enroll with pfx and pfxPassword',
  certificate:
    'is missing or no PEM text; allowed are certificate and privateKey as PEM, or pfx and pfxPassword at enrollment',
  privateKey: 'is missing, encrypted or no PEM text; allowed is an unencrypted private key as PEM',
  serverCertificate: 'has the wrong shape; allowed is PEM text of one or more certificates',
}

/** @throws {ConfigError} by field; a key that does not belong to the certificate is `privateKey` */
function readCredential(credential: Credential) {
  const stored = v.safeParse(Stored, credential)
  if (!stored.success) throw wrong(v.getDotPath(stored.issues[0]) ?? 'certificate')
  const { certificate, privateKey, serverCertificate } = stored.output
  const own = parsed('certificate', () => new X509Certificate(certificate))
  const key = parsed('privateKey', (): KeyObject => createPrivateKey(privateKey))
  if (!own.checkPrivateKey(key)) {
    throw new ConfigError('privateKey', 'does not belong to certificate; allowed is its own key')
  }
  if (serverCertificate !== undefined) {
    parsed('serverCertificate', () => new X509Certificate(serverCertificate))
  }
  return {
    certificate,
    privateKey: new Redacted(privateKey),
    serverCertificate,
    notAfter: new Date(own.validTo),
  }
}

function parsed<T>(field: string, parse: () => T): T {
  try {
    return parse()
  } catch {
    throw wrong(field)
  }
}

function wrong(field: string): ConfigError {
  return new ConfigError(field, shapes[field] ?? 'has the wrong shape')
}
