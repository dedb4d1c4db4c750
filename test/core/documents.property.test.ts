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
import { fieldName, instant } from './arbitrary-item.ts'

const seed = { seed: 20260101 }

/** Fields that the rotator writes, and so none that a vendor may call its own. */
const ownFields = [
  'schema',
  'connection',
  'vendor',
  'writtenAs',
  'credentialId',
  'fence',
  'epoch',
  'home',
  'superseded',
  'accessToken',
  'tokenType',
  'issuedAt',
  'expiresAt',
  'refreshToken',
  'refreshExpiresAt',
  'refreshesLeft',
  'grant',
  'renewAt',
  'facts',
]
const text = fc.string()
const token = fc
  .string({
    minLength: 1,
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
  })
  .map((value) => new Redacted(value))
const tokenSet: fc.Arbitrary<TokenSet> = fc.record(
  {
    accessToken: token,
    tokenType: text,
    issuedAt: instant,
    expiresAt: fc.option(instant),
    refreshToken: token,
    refreshExpiresAt: instant,
    refreshesLeft: fc.nat(),
    grant: text,
    renewAt: instant,
    facts: fc.dictionary(fieldName, text),
  },
  { requiredKeys: ['accessToken', 'tokenType', 'issuedAt', 'expiresAt', 'grant'] },
)
/** What an operator enrolls: any fields, of any JSON. */
const credential = fc.dictionary(
  fieldName.filter((name) => !ownFields.includes(name)),
  fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
)
const versionId = fc.uuid()
const enrollment: fc.Arbitrary<Enrollment> = fc.record(
  {
    versionId,
    credential,
    credentialId: versionId,
    tokens: fc.oneof(
      tokenSet,
      fc.constant({}),
      token.map((refreshToken) => ({ refreshToken })),
    ),
    superseded: fc.array(tokenSet, { maxLength: 3 }),
    fence: fc.nat(),
    standing: fc.record({ epoch: fc.nat(), region: text }),
  },
  { requiredKeys: ['versionId', 'credential', 'credentialId', 'tokens', 'superseded'] },
)

/** With tokens in the clear, so that they can be compared. */
function clear(value: unknown): unknown {
  if (value instanceof Redacted) return { revealed: value.reveal() }
  if (value instanceof Date || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(clear)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, clear(inner)]))
}

const marker = 'quoted-by-mistake'
const anything = fc.oneof(
  fc.constant(marker),
  fc.constant(`${marker}\r\nwith a line`),
  fc.constant([marker]),
  fc.constant({ [marker]: marker }),
  fc.jsonValue(),
)
/** Text that is nearly a document, or nothing like one. */
const nearly = fc.oneof(
  fc
    .dictionary(fc.constantFrom(...ownFields, 'basedOn', 'tokens'), anything)
    .map((json) => JSON.stringify(json)),
  fc.json(),
  fc.string(),
  fc.constantFrom(marker, `"${marker}"`, `["${marker}"]`, `{"refreshToken":"${marker}"`),
)

/** That a decoder takes a text, or refuses it as the operator’s to mend, without repeating it. */
function refusesCleanly(decode: (text: string) => unknown) {
  fc.assert(
    fc.property(nearly, (document) => {
      try {
        decode(document)
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError)
        expect(inspect(error, { depth: 9 })).not.toContain(marker)
      }
    }),
    { numRuns: 500, ...seed },
  )
}

describe('any enrollment', () => {
  test('comes back whole under the version id it was written for', () => {
    fc.assert(
      fc.property(enrollment, (written) => {
        const document = encodeEnrollment(written, { connection: 'ftd-hq', vendor: 'cisco-ftd' })
        expect(clear(decodeEnrollment(document, written.versionId))).toEqual(clear(written))
      }),
      { numRuns: 300, ...seed },
    )
  })

  test('that a person edits keeps every field that is not the rotator’s, and of its tokens the refresh token alone', () => {
    fc.assert(
      fc.property(enrollment, versionId, (written, other) => {
        fc.pre(other !== written.versionId)
        const document = encodeEnrollment(written, { connection: 'ftd-hq', vendor: 'cisco-ftd' })
        const { refreshToken } = written.tokens
        expect(clear(decodeEnrollment(document, other))).toEqual(
          clear({
            versionId: other,
            credentialId: other,
            credential: written.credential,
            tokens: refreshToken === undefined ? {} : { refreshToken },
            superseded: [],
            // Where it was written a person does not change.
            ...(written.standing === undefined ? {} : { standing: written.standing }),
          }),
        )
      }),
      { numRuns: 200, ...seed },
    )
  })

  test('that an operator types keeps every field as a credential', () => {
    fc.assert(
      fc.property(credential, (fields) => {
        expect(decodeEnrollment(JSON.stringify(fields), 'v').credential).toEqual(fields)
      }),
      { numRuns: 200, ...seed },
    )
  })

  test('that is none is refused by its field, and never quoted', () => {
    refusesCleanly((document) => decodeEnrollment(document, 'v'))
  })
})

describe('any pair in the escrow', () => {
  test('comes back whole', () => {
    const escrowed = fc.record({
      basedOn: versionId,
      tokens: tokenSet,
      superseded: fc.array(tokenSet, { maxLength: 3 }),
    })
    fc.assert(
      fc.property(escrowed, (written) => {
        expect(clear(decodeEscrow(encodeEscrow(written)))).toEqual(clear(written))
      }),
      { numRuns: 200, ...seed },
    )
  })

  test('that is none is refused, and never quoted', () => {
    refusesCleanly(decodeEscrow)
  })
})

test('any consumer document says what was issued, and nothing of the refresh token', () => {
  fc.assert(
    fc.property(tokenSet, fc.dictionary(fieldName, text), (tokens, headers) => {
      const refreshToken = new Redacted(`${marker}-refresh`)
      const owner = { connection: 'ftd-hq', vendor: 'cisco-ftd', url: 'https://192.0.2.10' }
      const document = encodeConsumer(owner, { ...tokens, refreshToken }, headers)
      expect(document).not.toContain(marker)
      const { access_token, token_type, issued_at, expires_at, ...rest } = JSON.parse(document)
      expect({ access_token, token_type, headers: rest.headers }).toEqual({
        access_token: tokens.accessToken.reveal(),
        token_type: tokens.tokenType,
        headers,
      })
      expect(new Date(issued_at)).toEqual(tokens.issuedAt)
      expect(expires_at === null ? null : new Date(expires_at)).toEqual(tokens.expiresAt)
      expect(rest.kept_alive).toBe(tokens.expiresAt === null ? true : undefined)
    }),
    { numRuns: 200, ...seed },
  )
})
