import { describe, expect, test } from 'vitest'
import { decodeConnections, encodeConnection } from '../../lib/core/decode-connections.ts'
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
      'no address',
      [{ id: 'ftd-hq', vendor: 'cisco-ftd' }],
      'connections[0].url: found nothing; allowed is an https URL',
    ],
    [
      'no address for tokens',
      [{ id: 'kics', vendor: 'kics-for-networks', url: 'https://192.0.2.30/kics/api' }],
      'connections[0].tokenUrl: found nothing; allowed is an https URL',
    ],
    [
      'no id',
      [{ vendor: 'cisco-ftd', url: 'https://192.0.2.10' }],
      'connections[0].id: found nothing; allowed are 1 to 48',
    ],
    [
      'no scheme',
      [{ ...ftd, url: 'ftd' }],
      'connections[0].url: found "ftd"; allowed is an https URL',
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

  test.each<[string, unknown, string]>([
    [
      'no list',
      'ftd-hq',
      'connections: allowed is a list of connections, or an object with $schema and connections',
    ],
    [
      'an object with more in it',
      { connections: [ftd], more: 1 },
      'connections: allowed is a list of connections, or an object with $schema and connections',
    ],
    [
      'the same id twice',
      [ftd, ftd],
      "connections: id 'ftd-hq' stands twice; allowed is one connection per id",
    ],
    [
      'a vendor that is no text',
      [{ ...ftd, vendor: 7 }],
      `connections[0].vendor: found nothing usable; allowed are ${Object.keys(vendors).join(', ')}`,
    ],
    ['an entry that is none', [ftd, 'x'], 'connections[1].vendor: found nothing usable; '],
    [
      'an option that is none',
      [{ ...ftd, apiVersoin: 'v6' }],
      'connections[0].apiVersoin: is not an option of this vendor; check its spelling against the schema',
    ],
    [
      'a credential',
      [{ ...ftd, password: 'made-up' }],
      'connections[0].password: is a credential; credentials are enrolled, never configured: remove it and run token-rotator enroll',
    ],
    [
      "a credential as another product's file spells it",
      [{ ...ftd, client_secret: 'made-up' }],
      'connections[0].client_secret: is a credential; credentials are enrolled, never configured: remove it and run token-rotator enroll',
    ],
    [
      'a private key among the certificates to trust',
      [
        {
          ...ftd,
          tls: { ca: '-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\nmade-up' },
        },
      ],
      'connections[0].tls.ca: found a text of 66 characters; allowed are certificates alone; a private key is a credential',
    ],
    [
      'a network that is none',
      [{ ...ftd, network: 'on-prem' }],
      'connections[0].network: found "on-prem"; allowed is vpc or internet',
    ],
    [
      'a URL with a path, of which no more than the host is shown',
      [{ ...ftd, url: 'https://192.0.2.10/made-up-token' }],
      'connections[0].url: found "https://192.0.2.10/…"; allowed is an address without a path',
    ],
    [
      'a URL that is refused for its scheme alone',
      [{ ...ftd, url: 'http://192.0.2.10/' }],
      'connections[0].url: found "http://192.0.2.10/"; allowed is an https URL',
    ],
    [
      'something long, of which the length is shown',
      [{ ...ftd, id: 'x'.repeat(200) }],
      `connections[0].id: found a text of 200 characters; allowed are 1 to 48 of a-z, 0-9 and -`,
    ],
    [
      'a text that is no address',
      [{ ...ftd, url: 'mailto:x' }],
      'connections[0].url: found "mailto:x"; allowed is an https URL',
    ],
    [
      'a value of another kind',
      [{ ...ftd, renew: { everySeconds: '600' } }],
      'connections[0].renew.everySeconds: found "600"; allowed is number',
    ],
  ])('is refused in whole sentences: %s', (_title, json, message) => {
    // The class as well: an expected text alone is also met by `throw undefined`.
    const refusal = { code: 'ERR_CONFIG', message: expect.stringContaining(message) }
    expect(() => decodeConnections(json, vendors)).toThrow(expect.objectContaining(refusal))
  })

  test('comes back flat, as it could be written down again', () => {
    const [connection] = decodeConnections([{ ...ftd, tls: { pins: [pin] } }], vendors)
    if (connection === undefined) throw new Error('none was read')
    expect(encodeConnection(connection)).toEqual({
      ...ftd,
      apiVersion: 'latest',
      tls: { pins: [pin] },
    })
    const renew = { everySeconds: 900 }
    expect(decodeConnections([{ ...ftd, renew }], vendors)[0]).toMatchObject({ renew })
    const onSite = { ...ftd, network: 'vpc' }
    expect(decodeConnections([onSite], vendors).map(encodeConnection)).toEqual([
      { ...onSite, apiVersion: 'latest' },
    ])
  })
})
