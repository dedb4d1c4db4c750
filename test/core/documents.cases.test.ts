import { describe, expect, test } from 'vitest'
import {
  consumerSecretId,
  decodeEnrollment,
  decodeEscrow,
  dueIndex,
  encodeEnrollment,
  enrollmentSecretId,
  isTokenSet,
  ledgerTableName,
} from '../../lib/core/documents.ts'
import { Redacted } from '../../lib/core/redacted.ts'

const issuedAt = '2026-01-01T00:00:00.000Z'
const expiresAt = '2026-01-01T01:00:00.000Z'
const stored = { accessToken: 'a-1', tokenType: 'Bearer', issuedAt, expiresAt, grant: 'g' }
const whole = {
  accessToken: new Redacted('a-1'),
  tokenType: 'Bearer',
  issuedAt: new Date(issuedAt),
  expiresAt: new Date(expiresAt),
  grant: 'g',
}
const without = (part: string) =>
  Object.fromEntries(Object.entries(stored).filter(([key]) => key !== part))
const owner = { connection: 'ftd-hq', vendor: 'cisco-ftd' }

test('secrets and table have the names by which everybody finds them', () => {
  expect(enrollmentSecretId('ftd-hq')).toBe('token-rotator/ftd-hq/enrollment')
  expect(consumerSecretId('ftd-hq')).toBe('token-rotator/ftd-hq/access-token')
  expect(ledgerTableName).toBe('token-rotator-ledger')
  expect(dueIndex).toBe('due')
})

describe('an enrollment secret of the wrong shape', () => {
  test.each([
    [
      'no JSON',
      '{',
      'enrollment secret: is not JSON; allowed is a JSON object of credential fields',
    ],
    ['a list', '[]', 'enrollment secret: is a list; allowed is a JSON object of credential fields'],
    ['a number', '7', 'enrollment secret: has the wrong shape; allowed is Object'],
    ['a later schema', '{"schema":2}', 'schema: has the wrong shape; allowed is 1'],
    [
      'a token that is none',
      '{"refreshToken":7}',
      'refreshToken: has the wrong shape; allowed is string',
    ],
    [
      'an empty token',
      '{"accessToken":" "}',
      'accessToken: has the wrong shape; allowed is a non-empty string',
    ],
    [
      'a token with a space in it',
      '{"refreshToken":"two words"}',
      'refreshToken: has the wrong shape; allowed are printable ASCII characters without spaces',
    ],
    [
      'an instant that is none',
      '{"renewAt":"soon"}',
      'renewAt: has the wrong shape; allowed is an ISO 8601 instant',
    ],
    [
      'a fact that is no text',
      '{"facts":{"serial":7}}',
      'facts.serial: has the wrong shape; allowed is string',
    ],
  ])('is told by its field and what is allowed: %s', (_title, text, message) => {
    expect(() => decodeEnrollment(text, 'v')).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message }),
    )
  })

  test.each([
    'connection',
    'vendor',
    'tokenType',
    'issuedAt',
    'expiresAt',
    'refreshExpiresAt',
    'refreshesLeft',
    'grant',
    'facts',
    'writtenAs',
    'credentialId',
    'fence',
    'epoch',
    'home',
    'superseded',
  ])('is told as %s', (field) => {
    expect(() => decodeEnrollment(JSON.stringify({ [field]: [7] }), 'v')).toThrow(`${field}`)
  })
})

describe('a document that the rotator wrote', () => {
  const read = (fields: object) =>
    decodeEnrollment(JSON.stringify({ writtenAs: 'v', ...fields }), 'v')

  test('is text of a fixed order, so that writing it again changes nothing', () => {
    const enrollment = {
      versionId: 'v',
      credential: { username: 'api' },
      credentialId: 'v-0',
      tokens: whole,
      superseded: [],
      fence: 3,
    }
    expect(encodeEnrollment(enrollment, owner)).toBe(
      '{"schema":1,"connection":"ftd-hq","vendor":"cisco-ftd","username":"api","accessToken":"a-1","tokenType":"Bearer","issuedAt":"2026-01-01T00:00:00.000Z","expiresAt":"2026-01-01T01:00:00.000Z","grant":"g","credentialId":"v-0","fence":3,"writtenAs":"v"}',
    )
  })

  test('is believed in every field; what it does not say is left out', () => {
    expect(read({ ...owner, schema: 1, ...stored, username: 'api' })).toStrictEqual({
      versionId: 'v',
      credential: { username: 'api' },
      credentialId: 'v',
      tokens: whole,
      superseded: [],
    })
  })

  test('keeps of what is to be ended only what is whole', () => {
    const superseded = [stored, without('grant'), {}]
    expect(read({ superseded }).superseded).toEqual([whole])
  })
})

test.each(['accessToken', 'tokenType', 'issuedAt', 'expiresAt', 'grant'])(
  'a token set without %s is not whole',
  (part) => {
    expect(isTokenSet(whole)).toBe(true)
    expect(isTokenSet({ ...whole, [part]: undefined })).toBe(false)
    const document = { schema: 1, basedOn: 'v', tokens: without(part), superseded: [] }
    expect(() => decodeEscrow(JSON.stringify(document))).toThrow(
      'escrow: is not a document of the rotator',
    )
  },
)

describe('a parameter in the place of the escrow', () => {
  test('may hold a refresh token alone, if it says when it came', () => {
    const held = (tokens: object) =>
      decodeEscrow(JSON.stringify({ schema: 1, basedOn: 'v', tokens, superseded: [] })).tokens
    const alone = { refreshToken: 'r-1', issuedAt: '2026-01-01T00:00:00.000Z' }
    expect(held(alone).refreshToken?.reveal()).toBe('r-1')
    expect(() => held({ refreshToken: 'r-1' })).toThrow('escrow: is not a document of the rotator')
  })

  test('holds a pair, what it came from, and what is to be ended', () => {
    const document = { schema: 1, basedOn: 'v', tokens: stored, superseded: [stored, {}] }
    expect(decodeEscrow(JSON.stringify(document))).toEqual({
      basedOn: 'v',
      tokens: whole,
      superseded: [whole],
    })
  })

  test.each([
    ['of another schema', { schema: 2, basedOn: 'v', tokens: stored, superseded: [] }],
    ['of no origin', { schema: 1, tokens: stored, superseded: [] }],
    ['without a list', { schema: 1, basedOn: 'v', tokens: stored }],
  ])('is not one if it is %s', (_title, document) => {
    expect(() => decodeEscrow(JSON.stringify(document))).toThrow(
      'escrow: is not a document of the rotator',
    )
  })

  test('is told as what it is if it is no JSON', () => {
    expect(() => decodeEscrow('{')).toThrow(
      'escrow: is not JSON; allowed is a JSON object of credential fields',
    )
  })
})
