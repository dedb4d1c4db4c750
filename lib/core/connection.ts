import * as v from 'valibot'

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Whether credentials may be sent to this address. */
export function isVendorUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const secure =
    url.protocol === 'https:' || (url.protocol === 'http:' && loopback.has(url.hostname))
  return (
    secure && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  )
}

/** A vendor's address: https (plain http on loopback only), no user-info, query or fragment. */
export const VendorUrl = v.pipe(
  v.string(),
  v.check(
    isVendorUrl,
    'allowed is an https URL without user name, password, query or fragment, e.g. https://192.0.2.10',
  ),
)

/** An address without a path, where the vendor's paths are fixed. */
export const VendorOrigin = v.pipe(
  VendorUrl,
  // What is no URL at all has been refused above, and is looked at here all the same.
  v.check(
    (text) => !URL.canParse(text) || new URL(text).pathname === '/',
    'allowed is an address without a path',
  ),
)

/** How the vendor's server is recognised. Public authorities when nothing is given. There is no "insecure". */
export const Tls = v.strictObject({
  /** PEM text of the certificates to trust instead of the public authorities. */
  ca: v.optional(
    v.pipe(
      v.string(),
      v.includes('-----BEGIN CERTIFICATE-----', 'allowed is PEM text'),
      // Bundles of both exist, and a configuration is read by many.
      v.excludes(
        'PRIVATE KEY-----',
        'allowed are certificates alone; a private key is a credential, which is enrolled, never configured',
      ),
    ),
  ),
  /**
   * `sha256/<base64>` digests of the server's certificate (DER) or of its public key, any one of
   * which must match; a set, so that a current and a reserve certificate may stand side by side.
   */
  pins: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string(),
          v.regex(
            /^sha256\/[A-Za-z0-9+/]{43}=$/,
            'allowed is sha256/ and the Base64 of a SHA-256 digest (44 characters)',
          ),
        ),
      ),
      v.minLength(1, 'allowed is at least one pin'),
    ),
  ),
  /** Name to expect in the certificate instead of the host in the URL. */
  serverName: v.optional(v.pipe(v.string(), v.nonEmpty('allowed is a host name'))),
})

/** When to renew, beside what expiry demands. May shorten, never lengthen. */
export const Renew = v.strictObject({
  /** Renew at least this often, in seconds; 600 or more, because of the version quota of Secrets Manager. */
  everySeconds: v.optional(
    v.pipe(
      v.number(),
      v.integer('allowed is a whole number'),
      v.minValue(600, 'allowed is 600 or more: Secrets Manager keeps 100 versions of 24 h'),
    ),
  ),
})

/** From where a connection's vendor is reached. */
export const Network = v.picklist(['vpc', 'internet'], 'allowed is vpc or internet')

/** Who reads the consumer secret, by whatever name people know them. A person is told these when readers are concerned. */
export const Readers = v.array(
  v.pipe(
    v.string(),
    v.regex(
      /^[\w.:/@+=-][\w.:/@+= -]{0,99}$/,
      'allowed are names of 1 to 100 letters, digits, spaces and . : / @ + = _ -',
    ),
  ),
)

/** A connection's id: names its secrets, its ledger item and its metrics. */
export const ConnectionId = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9-]{1,48}$/, 'allowed are 1 to 48 of a-z, 0-9 and -'),
)

/** One set of credentials at one vendor endpoint, as configured. Holds no secret. */
export interface Connection {
  readonly id: string
  readonly vendor: string
  /** The vendor's own options, already decoded with its schema. */
  readonly options: Readonly<Record<string, unknown>>
  readonly tls?: v.InferOutput<typeof Tls>
  readonly renew?: v.InferOutput<typeof Renew>
  readonly network?: v.InferOutput<typeof Network>
  readonly readers?: v.InferOutput<typeof Readers>
}

/**
 * Reads something out of each connection once, although every run asks for it. A failure is not kept.
 *
 * @param read what is to be known of a connection, from its configuration alone
 */
export function oncePerConnection<T>(
  read: (connection: Connection) => T,
): (connection: Connection) => T {
  const known = new WeakMap<Connection, T>()
  return (connection) => {
    const found = known.get(connection) ?? read(connection)
    known.set(connection, found)
    return found
  }
}

/** One connection as it stands in `connections.json`: the vendor's options flat beside what is common. */
export interface ConnectionProps {
  /** Names the secrets, the ledger item and the metrics: 1 to 48 of a-z, 0-9 and -. */
  readonly id: string
  /** Id of a vendor, e.g. `kaspersky-mdr`. */
  readonly vendor: string
  /** How the vendor's server is recognised; by the public authorities if absent. */
  readonly tls?: v.InferInput<typeof Tls>
  /** When to renew, beside what expiry demands. */
  readonly renew?: v.InferInput<typeof Renew>
  /** `vpc`: a device on site; `internet`: a public address. By default `vpc` where the construct has one. */
  readonly network?: v.InferInput<typeof Network>
  /** Who reads the access token, e.g. `siem-forwarder`: named to whoever is told of an incident. */
  readonly readers?: v.InferInput<typeof Readers>
  /** The vendor's own options. */
  readonly [option: string]: unknown
}
