import { describe, expect, test } from 'vitest'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import { vendors } from '../../lib/vendors/index.ts'

const ftd = { id: 'ftd-hq', vendor: 'cisco-ftd', url: 'https://192.0.2.10' }
const pin = `sha256/${'A'.repeat(43)}=`

describe('a list of connections', () => {
  test('is read with the vendor’s options flat beside the common ones', () => {
    const [connection] = decodeConnections([{ ...ftd, tls: { pins: [pin] } }], vendors)
    expect(connection).toMatchObject({
      id: 'ftd-hq',
      vendor: 'cisco-ftd',
      options: { url: 'https://192.0.2.10', apiVersion: 'latest' },
      tls: { pins: [pin] },
    })
  })

  test('may stand in an object with its schema', () => {
    expect(decodeConnections({ $schema: './x.json', connections: [ftd] }, vendors)).toHaveLength(1)
  })

  test('of one vendor is read without looking at the others', () => {
    const others = [{ id: 'x', vendor: 'not-known-here' }, ftd]
    expect(decodeConnections(others, vendors, 'cisco-ftd').map(({ id }) => id)).toEqual(['ftd-hq'])
  })

  test.each([
    ['no list', 'ftd-hq', 'connections: allowed is a list'],
    ['an unknown vendor', [{ ...ftd, vendor: 'cisco-fmc' }], "found 'cisco-fmc'; allowed are "],
    ['a vendor of no table', [{ ...ftd, vendor: 'toString' }], "found 'toString'; allowed are "],
    ['a missing vendor', [{ id: 'a' }], 'connections[0].vendor: found nothing usable'],
    [
      'an id with capitals',
      [{ ...ftd, id: 'FTD' }],
      'connections[0].id: found "FTD"; allowed are 1 to 48',
    ],
    ['an id of 49 characters', [{ ...ftd, id: 'a'.repeat(49) }], 'connections[0].id'],
    ['the same id twice', [ftd, ftd], "id 'ftd-hq' stands twice"],
    [
      'a misspelt option',
      [{ ...ftd, apiVersoin: 'v6' }],
      'connections[0].apiVersoin: is not an option',
    ],
    [
      'plain http',
      [{ ...ftd, url: 'http://192.0.2.10' }],
      'connections[0].url: found "http://192.0.2.10"; allowed is an https URL',
    ],
    ['a query in the URL', [{ ...ftd, url: 'https://192.0.2.10/?a=b' }], 'connections[0].url'],
    [
      'a path in the URL',
      [{ ...ftd, url: 'https://192.0.2.10/api' }],
      'allowed is an address without a path',
    ],
    [
      'a pin of another kind',
      [{ ...ftd, tls: { pins: ['sha1/abc'] } }],
      'connections[0].tls.pins.0',
    ],
    ['an insecure switch', [{ ...ftd, tls: { insecure: true } }], 'connections[0].tls.insecure'],
    [
      'too short a cadence',
      [{ ...ftd, renew: { everySeconds: 599 } }],
      'found 599; allowed is 600 or more',
    ],
    [
      'a refresh life below the access life',
      [{ ...ftd, customToken: { desiredExpiresIn: 3600, desiredRefreshExpiresIn: 3600 } }],
      'connections[0].customToken',
    ],
    [
      'more than 365 days of access',
      [{ ...ftd, customToken: { desiredExpiresIn: 31_536_001 } }],
      'allowed is 31536000 or less',
    ],
  ])('is refused with field, value and what is allowed: %s', (_title, json, message) => {
    expect(() => decodeConnections(json, vendors)).toThrow(message)
  })

  test('is refused with a credential in it, without repeating the credential', () => {
    const typed = [{ ...ftd, password: 'really-my-password' }]
    expect(() => decodeConnections(typed, vendors)).toThrow(
      'credentials are enrolled, never configured',
    )
    expect(() => decodeConnections(typed, vendors)).not.toThrow('really-my-password')
  })

  test('is refused with user-info in a URL, without repeating it', () => {
    const typed = [{ ...ftd, url: 'https://api:really-my-password@192.0.2.10' }]
    expect(() => decodeConnections(typed, vendors)).toThrow('connections[0].url')
    expect(() => decodeConnections(typed, vendors)).not.toThrow('really-my-password')
  })
})
