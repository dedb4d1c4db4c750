import { describe, expect, test } from 'vitest'
import { readConnections } from '../../lib/aws/environment.ts'
import { addresses, placement } from '../../lib/cdk/placement.ts'
import type { Connection } from '../../lib/core/connection.ts'
import { vendors } from '../../lib/vendors/index.ts'

const vendor = vendors['cisco-ftd'] as (typeof vendors)[string]
const at = 'connections[3]'
const ftd = (url: string, network?: Connection['network']): Connection => ({
  id: 'ftd-hq',
  vendor: 'cisco-ftd',
  options: { url },
  ...(network === undefined ? {} : { network }),
})

describe('without a VPC', () => {
  const frame = { at, hasVpc: false }

  test.each([
    'https://10.1.2.3',
    'https://172.31.0.1',
    'https://192.168.1.1:8443',
    'https://100.64.0.1',
    'https://169.254.1.1',
    'https://[fd00::1]',
    'https://[fe80::1]',
    'https://firewall',
    'https://ftd.corp',
    'https://ftd.branch.internal',
    'https://ftd.local.',
  ])('%s is refused, with the way out', (url) => {
    const host = new URL(url).hostname.replace(/[[\]]/g, '')
    expect(() => placement(ftd(url), vendor, frame)).toThrow(
      `connections[3].url: found ${host}, which only a private network reaches; give the construct the prop vpc, a network with a route to it`,
    )
  })

  test.each([
    'https://192.0.2.10',
    'https://172.32.0.1',
    'https://100.128.0.1',
    'https://[2001:db8::1]',
    'https://ftd.example.com',
    'https://internal.example.com',
  ])('%s is reached from the internet', (url) => {
    expect(placement(ftd(url), vendor, frame)).toBe('internet')
  })

  test('a connection that asks for one is refused', () => {
    expect(() => placement(ftd('https://ftd.example.com', 'vpc'), vendor, frame)).toThrow(
      'connections[3].network: found vpc, but the construct has none; give it the prop vpc',
    )
  })
})

describe('with a VPC', () => {
  const frame = { at, hasVpc: true }

  test('a connection is reached from it, wherever its host is', () => {
    expect(placement(ftd('https://10.1.2.3'), vendor, frame)).toBe('vpc')
    expect(placement(ftd('https://192.0.2.10'), vendor, frame)).toBe('vpc')
  })

  test('a connection may go by the internet all the same, unless its host is private', () => {
    expect(placement(ftd('https://192.0.2.10', 'internet'), vendor, frame)).toBe('internet')
    expect(() => placement(ftd('https://10.1.2.3', 'internet'), vendor, frame)).toThrow(
      "connections[3].url: found 10.1.2.3, which only a private network reaches; allowed is network 'vpc'",
    )
  })
})

test('every address that is called is looked at, and no other text', () => {
  const found = readConnections('connections.json', vendors).map((connection) => [
    connection.id,
    addresses(connection, vendors[connection.vendor] as typeof vendor).map(({ option }) => option),
  ])
  expect(Object.fromEntries(found)).toMatchObject({
    'mdr-prod': ['url'],
    'ftd-hq': ['url'],
    'ot-plant': ['url', 'tokenUrl'],
    'soc-api': ['issuer', 'verifyUrl'],
    'incydr-prod': ['url'],
    'ksc-hq': ['url'],
  })
})
