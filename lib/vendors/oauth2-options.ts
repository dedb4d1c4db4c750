import * as v from 'valibot'
import { oncePerConnection, VendorUrl } from '../core/connection.ts'
import { ConfigError } from '../core/errors.ts'

/** How a client proves itself, by its registered name (RFC 7591, section 2; RFC 8705, section 2.1.1). */
export const clientAuthentications = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'none',
] as const

/** Signature algorithms of `private_key_jwt`, and the kind of key that each takes. */
export const keyKinds = {
  RS256: 'rsa',
  RS384: 'rsa',
  RS512: 'rsa',
  PS256: 'rsa',
  PS384: 'rsa',
  PS512: 'rsa',
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
  EdDSA: 'ed25519',
} as const
const algorithms = Object.keys(keyKinds) as (keyof typeof keyKinds)[]

/** Longest access token life that is believed or may be configured, in seconds: a year. */
export const longestLifetimeSeconds = 31_536_000

// What another option or the enrollment says; and credentials, which are never configured.
const ownParameters = new Set([
  ...['grant_type', 'client_id', 'scope', 'resource', 'audience', 'refresh_token'],
  ...['client_secret', 'client_assertion', 'client_assertion_type'],
])
const looksLikeCredential = /secret|passw|assertion|credential|private_?key|api_?key|(^|_)token$/i

/** An absolute URI without a fragment (RFC 8707, section 2). */
const Resource = v.pipe(
  v.string(),
  v.check(
    (text) => URL.canParse(text) && !text.includes('#') && !/:\/\/[^/]*@/.test(text),
    'allowed is an absolute URI without user name, password or fragment',
  ),
)

export const Options = v.strictObject({
  /**
   * Issuer of the server: its endpoints are read from its metadata (RFC 8414, else OpenID Connect
   * Discovery) in each run that needs them, and that document must name exactly this issuer. Either this
   * or `tokenEndpoint`.
   */
  issuer: v.optional(VendorUrl),
  /** Where grants are requested, for a server without metadata. */
  tokenEndpoint: v.optional(VendorUrl),
  /** RFC 7662: resolves a lost answer without a second sending. Stands before what the metadata says. */
  introspectionEndpoint: v.optional(VendorUrl),
  /** RFC 7009: needed for `revokeSuperseded` only. Stands before what the metadata says. */
  revocationEndpoint: v.optional(VendorUrl),
  /** `refresh_token` carries an authorization of a person on; `client_credentials` is the client's own. */
  grant: v.picklist(
    ['refresh_token', 'client_credentials'],
    'allowed is refresh_token or client_credentials',
  ),
  /** The client's id; may be enrolled instead. */
  clientId: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[\x20-\x7e]{1,512}$/, 'allowed are 1 to 512 printable ASCII characters'),
    ),
  ),
  /** How the client proves itself; `client_secret_basic` by default, as RFC 6749 has it. */
  clientAuthentication: v.optional(
    v.picklist(clientAuthentications, `allowed are ${clientAuthentications.join(', ')}`),
    'client_secret_basic',
  ),
  /** Scopes to ask for, separated by spaces; by default what the server gives. */
  scope: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
        'allowed are scopes separated by single spaces',
      ),
    ),
  ),
  /** Where the token is to be used (RFC 8707): one URI, or a list. */
  resource: v.optional(
    v.union([Resource, v.array(Resource)], 'allowed is a URI or a list of URIs'),
  ),
  /** The same, as servers before RFC 8707 want it. */
  audience: v.optional(v.pipe(v.string(), v.nonEmpty('allowed is text'))),
  /** Further parameters of the token request, e.g. `{"organization":"example"}`. Never credentials. */
  parameters: v.optional(
    v.record(
      v.pipe(
        v.string(),
        v.check(
          (name) => !ownParameters.has(name) && !looksLikeCredential.test(name),
          'allowed are parameters that no other option sets and that are no credentials: those are enrolled',
        ),
      ),
      v.string('allowed is text'),
    ),
  ),
  /**
   * Life of an access token of which neither `expires_in` nor, if it is a JWT, `exp` says anything usable:
   * 60 s to a year, 3600 by default. Set it to what the vendor documents.
   */
  accessTokenLifetimeSeconds: v.optional(
    v.pipe(
      v.number(),
      v.integer('allowed is a whole number of seconds'),
      v.minValue(60, 'allowed is 60 or more'),
      v.maxValue(longestLifetimeSeconds, `allowed is ${longestLifetimeSeconds} or less`),
    ),
    3600,
  ),
  /**
   * Whether a refresh token is used up by its use, `true` by default. With `false` a lost answer is
   * answered by sending the token again: at a server that does rotate, that ends the whole grant.
   */
  rotatesRefreshToken: v.optional(v.boolean('allowed is true or false'), true),
  /**
   * Revoke an access token (RFC 7009) five minutes after its successor was published; `false` by default:
   * it runs out by itself. RFC 7009, section 2.1 lets a server end the whole grant with it, and there are
   * servers that do: there **the newest pair dies too** and a person must enroll anew. Safe with
   * `client_credentials`, which has no grant behind it; the tokens are then held in the enrollment secret.
   */
  revokeSuperseded: v.optional(v.boolean('allowed is true or false'), false),
  /**
   * A cheap call of the API that proves a new token before it is published, sent as GET with the token:
   * 2xx good, 401 bad, 403 good but worth a warning. Without it a new token is believed.
   */
  verifyUrl: v.optional(VendorUrl),
  /** Algorithm of `private_key_jwt`; `RS256` by default. */
  privateKeyAlgorithm: v.optional(
    v.picklist(algorithms, `allowed are ${algorithms.join(', ')}`),
    'RS256',
  ),
  /** `kid` of the key, where the server holds several. */
  keyId: v.optional(v.pipe(v.string(), v.nonEmpty('allowed is text'))),
  /** The API's address, for the consumer document; by default the origin of the server. */
  baseUrl: v.optional(VendorUrl),
})

/** The options of a connection, with their defaults. */
export type Settings = v.InferOutput<typeof Options>

/**
 * Reads the options and what no single one of them shows.
 *
 * @throws {ConfigError} naming the option
 */
export const settingsOf = oncePerConnection((connection): Settings => {
  const settings = v.parse(Options, connection.options)
  const { issuer, tokenEndpoint, revocationEndpoint, revokeSuperseded } = settings
  if ((issuer === undefined) === (tokenEndpoint === undefined)) {
    const found = issuer === undefined ? 'neither' : 'both'
    throw new ConfigError('issuer', `found ${found} of issuer and tokenEndpoint; allowed is one`)
  }
  if (revokeSuperseded && issuer === undefined && revocationEndpoint === undefined) {
    throw new ConfigError(
      'revocationEndpoint',
      'is needed for revokeSuperseded where no issuer is configured',
    )
  }
  return settings
})

/** Origin of the server itself. */
export function serverOrigin({ issuer, tokenEndpoint }: Settings): string {
  return new URL(issuer ?? tokenEndpoint ?? '').origin
}
