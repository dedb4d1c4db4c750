import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeEnrollment,
  decodeEscrow,
  type Enrollment,
  encodeConsumer,
  encodeEnrollment,
  encodeEscrow,
} from '../../lib/core/documents.ts'
import { ConfigError } from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { TokenSet } from '../../lib/core/vendor.ts'

const tokens: TokenSet = {
  accessToken: new Redacted('access-1'),
  tokenType: 'Bearer',
  issuedAt: new Date('2026-01-01T00:00:00Z'),
  expiresAt: new Date('2026-01-01T01:00:00Z'),
  refreshToken: new Redacted('refresh-1'),
  refreshExpiresAt: new Date('2026-01-08T00:00:00Z'),
  refreshesLeft: 3,
  grant: 'refresh_token',
  facts: { session: 's-1' },
}
const enrollment: Enrollment = {
  versionId: 'version-1',
  credential: { username: 'api', password: 'made-up' },
  credentialId: 'version-0',
  tokens,
  superseded: [tokens],
  fence: 7,
}
const owner = { connection: 'ftd-hq', vendor: 'cisco-ftd' }
const revealed = (value: unknown) =>
  JSON.stringify(value, (_, v) => (v instanceof Redacted ? v.reveal() : v))

describe('the enrollment document', () => {
  test('comes back whole under the version id it was written for', () => {
    const text = encodeEnrollment(enrollment, owner)
    expect(revealed(decodeEnrollment(text, 'version-1'))).toBe(revealed(enrollment))
  })

  test('is the same text for the same content, so that a repeated write is a repeat', () => {
    expect(encodeEnrollment(enrollment, owner)).toBe(encodeEnrollment({ ...enrollment }, owner))
  })

  test('under any other version id is an edit by a person: only credential and refresh token are believed', () => {
    const edited = decodeEnrollment(encodeEnrollment(enrollment, owner), 'version-2')
    expect(edited.fence).toBeUndefined()
    expect(edited.credentialId).toBe('version-2')
    expect(edited.tokens.accessToken).toBeUndefined()
    expect(edited.tokens.expiresAt).toBeUndefined()
    expect(edited.tokens.refreshToken?.reveal()).toBe('refresh-1')
    expect(edited.credential).toEqual({ username: 'api', password: 'made-up' })
  })

  test('says in which region it was written, also after an edit by a person', () => {
    const standing = { epoch: 3, region: 'eu-west-1' }
    const text = encodeEnrollment({ ...enrollment, standing }, owner)
    expect(decodeEnrollment(text, 'version-1').standing).toEqual(standing)
    expect(decodeEnrollment(text, 'version-2')).toMatchObject({
      standing,
      credential: { username: 'api', password: 'made-up' },
    })
    expect(encodeEnrollment(enrollment, owner)).not.toMatch(/epoch|home/)
  })

  test('needs no more than what an operator has', () => {
    const found = decodeEnrollment('{"refreshToken":"  from-the-console\\n"}', 'v')
    expect(found.tokens.refreshToken?.reveal()).toBe('from-the-console')
  })

  test.each([
    ['no JSON', 'refresh-1-secret', 'enrollment secret'],
    ['a list', '["refresh-1-secret"]', 'enrollment secret'],
    ['a number for a token', '{"refreshToken":4711}', 'refreshToken'],
    ['an empty token', '{"refreshToken":""}', 'refreshToken'],
    ['a token with a line feed', '{"refreshToken":"refresh\\r\\nX-Evil: 1"}', 'refreshToken'],
    ['a schema of the future', '{"schema":2,"refreshToken":"refresh-1-secret"}', 'schema'],
  ])('is refused with the field named and no value shown: %s', (_title, text, field) => {
    const refused = () => decodeEnrollment(text, 'v')
    expect(refused).toThrow(ConfigError)
    try {
      refused()
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CONFIG', field })
      expect(inspect(error, { depth: 9 })).not.toMatch(/refresh-1-secret|4711|X-Evil/)
    }
  })

  test('never throws anything but ERR_CONFIG, whatever stands in the secret', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        try {
          decodeEnrollment(text, 'v')
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError)
        }
      }),
      { numRuns: 2000, seed: 20260101 },
    )
  })
})

describe('the escrow document', () => {
  test('comes back whole', () => {
    const escrowed = { basedOn: 'version-0', tokens, superseded: [] }
    expect(revealed(decodeEscrow(encodeEscrow(escrowed)))).toBe(revealed(escrowed))
  })

  test('is refused without an access token', () => {
    expect(() => decodeEscrow('{"schema":1,"basedOn":"v","tokens":{},"superseded":[]}')).toThrow(
      ConfigError,
    )
  })
})

describe('the consumer document', () => {
  const consumer = { connection: 'ftd-hq', vendor: 'cisco-ftd', url: 'https://192.0.2.10' }

  test('holds exactly the documented fields and no refresh token', () => {
    const headers = { Authorization: 'Bearer access-1' }
    expect(JSON.parse(encodeConsumer(consumer, tokens, headers))).toEqual({
      schema: 1,
      connection: 'ftd-hq',
      vendor: 'cisco-ftd',
      base_url: 'https://192.0.2.10',
      token_type: 'Bearer',
      access_token: 'access-1',
      headers,
      issued_at: '2026-01-01T00:00:00.000Z',
      expires_at: '2026-01-01T01:00:00.000Z',
    })
  })

  test('says of a kept-alive session that it has no end of its own', () => {
    const text = encodeConsumer(consumer, { ...tokens, expiresAt: null }, {})
    expect(JSON.parse(text)).toMatchObject({ expires_at: null, kept_alive: true })
  })
})

describe('a redacted value', () => {
  test('prints as nothing in every way there is to print it', () => {
    const secret = new Redacted('do-not-print')
    const printed = [
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { depth: 9, showHidden: true }),
      String(secret),
    ]
    expect(printed.join()).not.toContain('do-not-print')
    expect(secret.reveal()).toBe('do-not-print')
  })
})
