import { BlockList, isIP } from 'node:net'
import type { GenericSchema } from 'valibot'
import { type Connection, VendorOrigin, VendorUrl } from '../core/connection.ts'
import { ConfigError } from '../core/errors.ts'
import type { Vendor } from '../core/vendor.ts'

/** Where a function runs: in the VPC that was given, or outside any. */
export type Network = NonNullable<Connection['network']>

/**
 * Where a connection's function has to run. Functions outside a VPC reach public addresses alone, and
 * what a network does not route looks like a vendor that does not answer; so what can be told from the
 * configuration is told at synthesis.
 *
 * @param at where the connection stands, e.g. `connections[0]`
 * @throws {ConfigError} a host that is not reached from there
 */
export function placement(
  connection: Connection,
  vendor: Vendor,
  { at, hasVpc }: { at: string; hasVpc: boolean },
): Network {
  const network = connection.network ?? (hasVpc ? 'vpc' : 'internet')
  if (network === 'vpc') {
    if (hasVpc) return network
    throw new ConfigError(
      `${at}.network`,
      'found vpc, but the construct has none; give it the prop vpc, a network with a route to the host',
    )
  }
  const onSite = addresses(connection, vendor).find(({ host }) => isPrivate(host))
  if (onSite === undefined) return network
  const way = hasVpc
    ? "allowed is network 'vpc'"
    : 'give the construct the prop vpc, a network with a route to it'
  throw new ConfigError(
    `${at}.${onSite.option}`,
    `found ${onSite.host}, which only a private network reaches; ${way}`,
  )
}

// What only the readers of a token call.
const forReaders = new Set(['baseUrl'])

/** The hosts that a connection's function calls, by the options that hold an address. */
export function addresses(
  { options }: Connection,
  vendor: Vendor,
): { option: string; host: string }[] {
  return Object.entries(vendor.options.entries).flatMap(([option, schema]) => {
    const value = options[option]
    if (typeof value !== 'string' || !isAddress(schema) || forReaders.has(option)) return []
    return [{ option, host: new URL(value).hostname.replace(/^\[|\]$/g, '') }]
  })
}

/** Whether a schema is one of the two of addresses, optional or narrowed by its vendor. */
function isAddress(schema: GenericSchema): boolean {
  if (schema === VendorUrl || schema === VendorOrigin) return true
  const { wrapped, pipe } = schema as { wrapped?: GenericSchema; pipe?: [GenericSchema] }
  const inner = wrapped ?? pipe?.[0]
  return inner !== undefined && inner !== schema && isAddress(inner)
}

const privateAddresses = new BlockList()
for (const [net, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  // Between providers and their customers (RFC 6598), and within a link (RFC 3927).
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const) {
  privateAddresses.addSubnet(net, bits, 'ipv4')
}
privateAddresses.addSubnet('fc00::', 7, 'ipv6')
privateAddresses.addSubnet('fe80::', 10, 'ipv6')

/** Endings that no public name server answers for, and names without any. */
const privateName = /^[^.]+$|\.(local|internal|intranet|private|corp|home|lan|home\.arpa)\.?$/i

function isPrivate(host: string): boolean {
  const family = isIP(host)
  if (family !== 0) return privateAddresses.check(host, family === 4 ? 'ipv4' : 'ipv6')
  // A simulator of one's own: no network makes a difference to it.
  return host !== 'localhost' && privateName.test(host)
}
