import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import {
  type Connection,
  ConnectionId,
  isVendorUrl,
  oncePerConnection,
  Renew,
  Tls,
  VendorOrigin,
  VendorUrl,
} from '../../lib/core/connection.ts'

/** Why a schema refuses an input; `undefined` if it takes it. */
function refusal(schema: v.GenericSchema, input: unknown): string | undefined {
  return v.safeParse(schema, input).issues?.[0].message
}

describe('credentials may be sent to', () => {
  test.each([
    'https://192.0.2.10',
    'https://edr.example.com:8443/api',
    'http://127.0.0.1:8080',
    'http://localhost:8080',
    'http://[::1]:8080',
  ])('%s', (url) => {
    expect(isVendorUrl(url)).toBe(true)
    expect(refusal(VendorUrl, url)).toBeUndefined()
  })
})

describe('credentials may not be sent to', () => {
  test.each([
    ['what is no URL', 'edr.example.com'],
    ['plain http', 'http://edr.example.com'],
    ['another scheme', 'ftp://edr.example.com'],
    ['another scheme on loopback', 'ws://127.0.0.1'],
    ['a host that only begins like loopback', 'http://127.0.0.1.example.com'],
    ['a user name', 'https://api@edr.example.com'],
    ['a password', 'https://:secret@edr.example.com'],
    ['a query', 'https://edr.example.com/?a=b'],
    ['a fragment', 'https://edr.example.com/#a'],
  ])('%s', (_title, url) => {
    expect(isVendorUrl(url)).toBe(false)
    expect(refusal(VendorUrl, url)).toBe(
      'allowed is an https URL without user name, password, query or fragment, e.g. https://192.0.2.10',
    )
  })
})

test('an address whose paths are fixed has none of its own', () => {
  expect(refusal(VendorOrigin, 'https://192.0.2.10/')).toBeUndefined()
  expect(refusal(VendorOrigin, 'https://192.0.2.10/api')).toBe(
    'allowed is an address without a path',
  )
})

describe('how a server is recognised', () => {
  const pin = `sha256/${'A'.repeat(43)}=`

  test.each([
    ['nothing is given', {}],
    ['PEM text', { ca: 'subject\n-----BEGIN CERTIFICATE-----\nAAAA' }],
    ['a current and a reserve pin', { pins: [pin, `sha256/${'a/+9'.repeat(10)}abc=`] }],
    ['another name', { serverName: 'edr.example.com' }],
  ])('is taken: %s', (_title, tls) => {
    expect(refusal(Tls, tls)).toBeUndefined()
  })

  test.each([
    ['a file name for PEM text', { ca: 'ca.pem' }, 'allowed is PEM text'],
    ['no pin at all', { pins: [] }, 'allowed is at least one pin'],
    [
      'a digest that is too short',
      { pins: [`sha256/${'A'.repeat(42)}=`] },
      'allowed is sha256/ and',
    ],
    [
      'something before a pin',
      { pins: [`x${pin}`] },
      'allowed is sha256/ and the Base64 of a SHA-256 digest (44 characters)',
    ],
    ['something behind a pin', { pins: [`${pin}x`] }, 'allowed is sha256/ and the Base64'],
    ['an empty name', { serverName: '' }, 'allowed is a host name'],
  ])('is refused: %s', (_title, tls, why) => {
    expect(refusal(Tls, tls)).toContain(why)
  })
})

describe('a wish to renew more often', () => {
  test('is taken from 600 seconds on', () => {
    expect(refusal(Renew, {})).toBeUndefined()
    expect(refusal(Renew, { everySeconds: 600 })).toBeUndefined()
    expect(refusal(Renew, { everySeconds: 599 })).toBe(
      'allowed is 600 or more: Secrets Manager keeps 100 versions of 24 h',
    )
  })

  test('is in whole seconds', () => {
    expect(refusal(Renew, { everySeconds: 600.5 })).toBe('allowed is a whole number')
  })
})

describe('a connection’s id', () => {
  test.each(['a', 'ftd-hq', '9', 'a'.repeat(48)])('may be %s', (id) => {
    expect(refusal(ConnectionId, id)).toBeUndefined()
  })

  test.each(['', 'A', 'ftd_hq', 'ftd hq', ' ftd', 'ftd/', 'a'.repeat(49)])(
    'may not be %j',
    (id) => {
      expect(refusal(ConnectionId, id)).toBe('allowed are 1 to 48 of a-z, 0-9 and -')
    },
  )
})

describe('what is read out of a connection', () => {
  const connection: Connection = { id: 'edr-1', vendor: 'example', options: { url: 'one' } }

  test('is read once, however often it is asked for, and of each connection by itself', () => {
    const asked: string[] = []
    const optionsOf = oncePerConnection(({ id, options }) => {
      asked.push(id)
      return { ...options }
    })
    expect(optionsOf(connection)).toEqual({ url: 'one' })
    expect(optionsOf(connection)).toBe(optionsOf(connection))
    expect(optionsOf({ ...connection, id: 'edr-2', options: { url: 'two' } })).toEqual({
      url: 'two',
    })
    expect(asked).toEqual(['edr-1', 'edr-2'])
  })

  test('is refused at every asking if it is refused', () => {
    const optionsOf = oncePerConnection((): object => {
      throw new Error('wrong')
    })
    expect(() => optionsOf(connection)).toThrow('wrong')
    expect(() => optionsOf(connection)).toThrow('wrong')
  })
})
