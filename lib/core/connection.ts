import * as v from 'valibot'
import { ConfigError } from './errors.ts'
import type { VendorTable } from './vendor.ts'

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
  v.check((text) => new URL(text).pathname === '/', 'allowed is an address without a path'),
)

/** How the vendor's server is recognised. Public authorities when nothing is given. There is no "insecure". */
export const Tls = v.strictObject({
  /** PEM text of the certificates to trust instead of the public authorities. */
  ca: v.optional(
    v.pipe(v.string(), v.includes('-----BEGIN CERTIFICATE-----', 'allowed is PEM text')),
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
  /** The vendor's own options. */
  readonly [option: string]: unknown
}

/** The schema of one connection of a vendor: what is common, and the vendor's own options, flat. */
export function connectionSchema(vendor: VendorTable[string]) {
  return v.strictObject({
    id: ConnectionId,
    vendor: v.literal(vendor.id),
    ...vendor.options.entries,
    tls: v.optional(Tls),
    renew: v.optional(Renew),
  })
}

/**
 * Reads a list of connections.
 *
 * @param json parsed `connections.json`: a list, or `{ "$schema", "connections": […] }`
 * @param vendors those that may stand in it
 * @param only leave out the connections of every other vendor, unread
 * @throws {ConfigError} with the field, what was found and what is allowed
 */
export function decodeConnections(
  json: unknown,
  vendors: VendorTable,
  only?: string,
): Connection[] {
  const wrapped = v.safeParse(
    v.strictObject({ $schema: v.optional(v.string()), connections: v.array(v.unknown()) }),
    json,
  )
  const list = Array.isArray(json) ? json : wrapped.success ? wrapped.output.connections : undefined
  if (list === undefined) {
    throw new ConfigError(
      'connections',
      'allowed is a list of connections, or an object with $schema and connections',
    )
  }
  const connections = list.flatMap((entry, index) =>
    only !== undefined && vendorOf(entry) !== only
      ? []
      : [decodeConnection(entry, `connections[${index}]`, vendors)],
  )
  const seen = new Set<string>()
  for (const { id } of connections) {
    if (seen.has(id)) {
      throw new ConfigError(
        'connections',
        `id '${id}' stands twice; allowed is one connection per id`,
      )
    }
    seen.add(id)
  }
  return connections
}

/** The inverse of decoding, with the defaults filled in. */
export function encodeConnection({ options, ...common }: Connection): ConnectionProps {
  return { ...options, ...common }
}

function vendorOf(entry: unknown): string | undefined {
  const named = v.safeParse(v.looseObject({ vendor: v.string() }), entry)
  return named.success ? named.output.vendor : undefined
}

function decodeConnection(entry: unknown, at: string, vendors: VendorTable): Connection {
  const named = vendorOf(entry)
  const vendor = named === undefined ? undefined : vendors[named]
  if (vendor === undefined) {
    const found = named === undefined ? 'nothing usable' : `'${named}'`
    throw new ConfigError(
      `${at}.vendor`,
      `found ${found}; allowed are ${Object.keys(vendors).join(', ')}`,
    )
  }
  const decoded = v.safeParse(connectionSchema(vendor), entry)
  if (!decoded.success) throw firstIssue(at, decoded.issues[0], vendor.credentialFields)
  const { id, vendor: vendorId, tls, renew, ...options } = decoded.output
  return {
    id,
    vendor: vendorId,
    options,
    ...(tls === undefined ? {} : { tls }),
    ...(renew === undefined ? {} : { renew }),
  }
}

/** What was found, fit to be shown: of a URL only scheme and host, for the rest may be a credential. */
function shown(input: unknown): string {
  const isUrl = typeof input === 'string' && URL.canParse(input) && new URL(input).host !== ''
  if (!isUrl) return JSON.stringify(input).slice(0, 80)
  const { protocol, host, href } = new URL(input)
  const whole = `${protocol}//${host}/`
  return JSON.stringify(href === whole ? input : `${whole}…`)
}

function firstIssue(
  at: string,
  issue: v.BaseIssue<unknown>,
  secrets: readonly string[],
): ConfigError {
  const path = v.getDotPath(issue)
  const field = path === null ? at : `${at}.${path}`
  const key = path?.split('.').at(-1) ?? ''
  if (issue.type === 'strict_object' && secrets.includes(key)) {
    // The value is not repeated: it may be a real credential typed into the wrong file.
    return new ConfigError(
      field,
      'is a credential; credentials are enrolled, never configured: remove it and run token-rotator enroll',
    )
  }
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return new ConfigError(
      field,
      'is not an option of this vendor; check its spelling against the schema',
    )
  }
  const found = issue.input === undefined ? 'nothing' : shown(issue.input)
  return new ConfigError(
    field,
    `found ${found}; ${issue.message.startsWith('allowed') ? issue.message : `allowed is ${issue.expected ?? issue.message}`}`,
  )
}
