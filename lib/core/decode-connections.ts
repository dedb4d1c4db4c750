import * as v from 'valibot'
import {
  type Connection,
  ConnectionId,
  type ConnectionProps,
  Network,
  Readers,
  Renew,
  Tls,
} from './connection.ts'
import { ConfigError } from './errors.ts'
import type { VendorTable } from './vendor.ts'

/** The schema of one connection of a vendor: what is common, and the vendor's own options, flat. */
export function connectionSchema(vendor: VendorTable[string]) {
  return v.strictObject({
    id: ConnectionId,
    vendor: v.literal(vendor.id),
    ...vendor.options.entries,
    tls: v.optional(Tls),
    renew: v.optional(Renew),
    network: v.optional(Network),
    readers: v.optional(Readers),
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
  // `toString` is no vendor.
  const vendor = named !== undefined && Object.hasOwn(vendors, named) ? vendors[named] : undefined
  if (vendor === undefined) {
    const found = named === undefined ? 'nothing usable' : `'${named}'`
    throw new ConfigError(
      `${at}.vendor`,
      `found ${found}; allowed are ${Object.keys(vendors).join(', ')}`,
    )
  }
  const schema = connectionSchema(vendor)
  const decoded = v.safeParse(schema, entry)
  if (!decoded.success) {
    throw firstIssue(at, decoded.issues[0], schema.entries, vendor.credentialFields)
  }
  const { id, vendor: vendorId, tls, renew, network, readers, ...options } = decoded.output
  return {
    id,
    vendor: vendorId,
    options,
    ...(tls === undefined ? {} : { tls }),
    ...(renew === undefined ? {} : { renew }),
    ...(network === undefined ? {} : { network }),
    ...(readers === undefined ? {} : { readers }),
  }
}

// Ids, versions and names are shorter; keys and most tokens are longer.
const longestShown = 60

/**
 * What was found, fit to be shown: of a URL only scheme and host, of what has parts or is long only
 * what it is, for the rest may be a credential.
 */
function shown(input: unknown): string {
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'object' && input !== null) return 'an object'
  const isUrl = typeof input === 'string' && URL.canParse(input) && new URL(input).host !== ''
  if (!isUrl && typeof input === 'string' && input.length > longestShown) {
    return `a text of ${input.length} characters`
  }
  if (!isUrl) return JSON.stringify(input)
  const { protocol, host, href } = new URL(input)
  const whole = `${protocol}//${host}/`
  return JSON.stringify(href === whole ? input : `${whole}…`)
}

// Typed by people who do not yet know that credentials are enrolled, whatever their vendor calls its own.
const usualCredentials = [
  ...['accessToken', 'apiToken', 'authToken', 'bearerToken', 'idToken', 'refreshToken', 'token'],
  ...['sessionToken', 'jwt', 'authorization', 'cookie', 'sessionId', 'credential', 'credentials'],
  ...['password', 'passwd', 'pass', 'pwd', 'passphrase', 'pfxPassword', 'keyPassword'],
  ...['clientSecret', 'secret', 'sharedSecret', 'totpSecret', 'otpSecret', 'totp', 'otp'],
  ...['privateKey', 'clientKey', 'secretKey', 'apiKey', 'accessKey', 'key', 'pfx'],
]

function isCredential(key: string, own: readonly string[]): boolean {
  const plain = (name: string) => name.replace(/[\s_.-]/g, '').toLowerCase()
  return [...own, ...usualCredentials].some((name) => plain(name) === plain(key))
}

function firstIssue(
  at: string,
  issue: v.BaseIssue<unknown>,
  options: Readonly<Record<string, v.GenericSchema>>,
  secrets: readonly string[],
): ConfigError {
  const path = v.getDotPath(issue)
  const field = path === null ? at : `${at}.${path}`
  const key = path?.split('.').at(-1) ?? ''
  if (issue.type === 'strict_object' && isCredential(key, secrets)) {
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
  return new ConfigError(field, `found ${found}; ${allowed(issue, options)}`)
}

/** An option that is not there is only known by its name: what it may be, its own schema says of a text. */
function allowed(
  issue: v.BaseIssue<unknown>,
  options: Readonly<Record<string, v.GenericSchema>>,
): string {
  const path = v.getDotPath(issue) ?? ''
  const missing = issue.type === 'strict_object' ? options[path] : undefined
  const own = missing === undefined ? undefined : v.safeParse(missing, '').issues?.[0]
  const { message, expected } = own ?? issue
  return message.startsWith('allowed') ? message : `allowed is ${expected ?? message}`
}
