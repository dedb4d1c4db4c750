import * as v from 'valibot'
import { type Connection, oncePerConnection, VendorOrigin, VendorUrl } from '../core/connection.ts'
import { ConfigError } from '../core/errors.ts'
import type { Vendor } from '../core/vendor.ts'
import { readProof } from './code42-incydr-answers.ts'
import { type Flow, flows } from './code42-incydr-flows.ts'

const Options = v.strictObject({
  /** How tokens are obtained: `api-client` (default), `user-token` (legacy), or `refresh-pair`. */
  flow: v.optional(
    v.picklist(
      ['api-client', 'user-token', 'refresh-pair'],
      "allowed are 'api-client', 'user-token' and 'refresh-pair'",
    ),
    'api-client',
  ),
  /**
   * Where readers use the token: the API gateway that the console shows beside a new client secret,
   * e.g. `https://api.us.code42.com`; for `user-token` it may be the console itself.
   */
  url: VendorOrigin,
  /** For `user-token`: the console host, e.g. `https://console.us.code42.com`. */
  consoleUrl: v.optional(VendorOrigin),
  /** For `user-token`: the resource that gives the token; `/api/v3/auth/jwt` by default. */
  userTokenPath: v.optional(
    v.picklist(
      ['/api/v3/auth/jwt', '/c42api/v3/auth/jwt'],
      "allowed are '/api/v3/auth/jwt' and '/c42api/v3/auth/jwt'",
    ),
  ),
  /** For `refresh-pair`: where a refresh token buys a pair; the vendor publishes no address. */
  refreshUrl: v.optional(VendorUrl),
  /** For `refresh-pair`: the shortest life of its access tokens, 900 to 86,400 s; 1800 by default. */
  accessLifetimeSeconds: v.optional(
    v.pipe(
      v.number(),
      v.integer('allowed is a whole number of seconds'),
      v.minValue(900, 'allowed is 900 or more'),
      v.maxValue(86_400, 'allowed is 86400 or less'),
    ),
  ),
})
type Options = v.InferOutput<typeof Options>

const ownOptions = ['consoleUrl', 'userTokenPath', 'refreshUrl', 'accessLifetimeSeconds'] as const

/**
 * Code42 Incydr (Mimecast Incydr).
 *
 *     api-client    client id and secret ──► 15 min   minted at 10 min; nothing is held
 *     user-token    account, one-time code ─► 30 min  legacy; nothing is held
 *     refresh-pair  refresh token ──► pair            single use; address by arrangement
 *
 * Console only: creating and resetting a client secret; the former one is cut off at once. The vendor
 * documents no revocation, no introspection and no refresh token for the first two.
 *
 * Not documented, and how it is met: bodies of refused mints (the status decides), the permission of
 * `/v1/customer` (403 proves the token), whether a refresh token may be used twice (treated as spent).
 *
 * @see https://mimecastsupport.zendesk.com/hc/en-us/articles/42665971063059-API-clients
 * @see https://mimecastsupport.zendesk.com/hc/en-us/articles/42665963622547-Code42-API-authentication-methods
 * @see https://github.com/code42/incydr_python src/_incydr_sdk/core/auth.py
 */
export const code42Incydr: Vendor = {
  id: 'code42-incydr',
  title: 'Code42 Incydr',
  options: Options,
  credentialFields: [
    'clientId',
    'clientSecret',
    'username',
    'password',
    'totpSecret',
    'refreshToken',
  ],
  spends: (connection) => flowOf(connection).spends,
  accessLifetimeSeconds: (connection) => flowOf(connection).accessSeconds(optionsOf(connection)),
  // The life of a refresh token is not published: half a working day, for a person to react in.
  refreshAlarmSeconds: 4 * 3600,
  enrollmentSteps: [
    'open the Incydr console with the role Customer Cloud Admin, section API clients',
    'choose the API client and reset its secret (the former one ends at once), or create one with the read permissions that readers need',
    'copy client id, client secret and base URL: they are shown once, and the base URL is the option url',
    'for flow user-token have user name, password and two-factor seed of a local account; for flow refresh-pair a new refresh token from whoever runs the refresh URL',
  ],
  url: (connection) => new URL(optionsOf(connection).url).origin,

  connect(connection, credential, http) {
    const options = optionsOf(connection)
    const proof = proofOf(options)
    return {
      grants: [flows[options.flow].grant(options, credential, http)],
      headers: ({ accessToken }) => ({ Authorization: `Bearer ${accessToken.reveal()}` }),
      async verify({ accessToken }, { timeoutSeconds, known }) {
        const answer = await http.request({
          name: proof,
          method: 'GET',
          url: `${new URL(options.url).origin}/${proof}`,
          headers: { authorization: `Bearer ${accessToken.reveal()}` },
          timeoutSeconds,
        })
        return readProof(answer, `GET /${proof}`, known)
      },
      close: http.close,
    }
  },
}

/** The console has no `/v1/customer`; its own clients prove a login by reading the account. */
function proofOf({ url, consoleUrl }: Options): string {
  const isConsole = consoleUrl !== undefined && new URL(consoleUrl).origin === new URL(url).origin
  return isConsole ? 'api/v1/User/my' : 'v1/customer'
}

function flowOf(connection: Connection): Flow {
  return flows[optionsOf(connection).flow]
}

/** @throws {ConfigError} an option that the flow needs and lacks, or has no use for */
const optionsOf = oncePerConnection((connection): Options => {
  const options = v.parse(Options, connection.options)
  const { needs, takes }: Flow = flows[options.flow]
  for (const name of ownOptions) {
    if (options[name] === undefined && needs.includes(name)) {
      throw new ConfigError(name, `is missing; flow '${options.flow}' needs it`)
    }
    if (options[name] !== undefined && !needs.includes(name) && !takes.includes(name)) {
      throw new ConfigError(
        name,
        `is of no use with flow '${options.flow}'; remove it, or check flow`,
      )
    }
  }
  return options
})
