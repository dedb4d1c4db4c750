import { expect, test } from 'vitest'
import { refuseUndeclared } from '../../lib/cli/arguments.ts'
import { connectionArguments } from '../../lib/cli/operator.ts'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { HttpAnswer, TokenSet, Verified } from '../../lib/core/vendor.ts'
import { ciscoFtd } from '../../lib/vendors/cisco-ftd.ts'
import { code42Incydr } from '../../lib/vendors/code42-incydr.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { oauth2 } from '../../lib/vendors/oauth2.ts'
import { keysOf } from '../../lib/vendors/token.ts'
import { prints, tracesOf } from '../canaries.ts'

const canary = 'Sim-662cc1d7af0cc3d119897f9c'

const issued: TokenSet = {
  accessToken: new Redacted('made-up-access-token'),
  tokenType: 'Bearer',
  issuedAt: new Date('2026-01-01T00:00:00Z'),
  expiresAt: new Date('2026-01-01T01:00:00Z'),
  grant: 'password',
}

/** What a run makes of the vendor's answer to its question about a new token, or of a bad one. */
async function verified(
  vendor: typeof ciscoFtd,
  options: object,
  json: unknown,
  { tokens = issued, known = {} }: { tokens?: TokenSet; known?: Record<string, string> } = {},
): Promise<Verified | Error | undefined> {
  const text = JSON.stringify(json)
  const answer: HttpAnswer = {
    status: 200,
    contentType: 'application/json',
    headers: {},
    text,
    json,
  }
  const http = { request: async () => answer, close: async () => {} }
  const [connection] = decodeConnections([{ id: 'a', vendor: vendor.id, ...options }], vendors)
  if (connection === undefined) return undefined
  const credential =
    vendor === code42Incydr
      ? { clientId: 'key-1', clientSecret: canary }
      : { username: 'api', password: canary, clientSecret: canary }
  const call = { now: issued.issuedAt, timeoutSeconds: 5, known }
  return vendor
    .connect(connection, credential, http)
    .verify?.(tokens, call)
    .catch((error: Error) => error)
}

test('an error names the keys of an answer only if they are words', () => {
  const answer = {
    [canary]: 1,
    [`k${canary.slice(4)}`]: 2,
    access_token: 3,
    'error-uri': 4,
    wstrKey: 5,
  }
  expect(keysOf(answer)).toEqual(['access_token', 'error-uri', 'wstrKey'])
  const oneWord = 'b'.repeat(25)
  expect(keysOf({ [oneWord]: 1, GNIBgzqZlGIEAUEydWzccyym: 2 })).toEqual([])
})

test('a unit that gives a credential for its serial number is known by a digest of it', async () => {
  const url = { url: 'https://192.0.2.10' }
  const first = await verified(ciscoFtd, url, { serialNumber: canary })
  expect(first).toMatchObject({
    facts: { serialNumber: expect.stringMatching(/^digest [\w-]{16}$/) },
  })
  expect(tracesOf([canary], JSON.stringify(first))).toEqual([])
  const { serialNumber = '' } = (first as Verified).facts ?? {}
  const known = { serialNumber }
  expect(await verified(ciscoFtd, url, { serialNumber: canary }, { known })).toEqual(first)
  const other = await verified(ciscoFtd, url, { serialNumber: `${canary}!` }, { known })
  expect(other).toMatchObject({ warning: expect.stringContaining('fail-over') })
  const listed = { ...url, serialNumbers: ['JAD00000001'] }
  const refused = await verified(ciscoFtd, listed, { serialNumber: canary })
  expect(refused).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected: true })
  for (const told of [other, refused]) expect(tracesOf([canary], prints(told))).toEqual([])
})

test('a tenant that gives a credential for its id is known by a digest of it', async () => {
  const options = { url: 'https://api.example.com' }
  const known = { tenantId: 'tenant-1' }
  const token = `eyJ.${canary}.${canary}`
  const found = await verified(code42Incydr, options, { tenantId: token }, { known })
  expect(found).toMatchObject({
    facts: { tenantId: expect.stringMatching(/^digest [\w-]{16}$/) },
    warning: expect.stringContaining('answers where tenant-1 did'),
  })
  expect(tracesOf([token, canary], JSON.stringify(found))).toEqual([])
})

test('a device whose serial number is of no usual form may still be the one that is allowed', async () => {
  const listed = { url: 'https://192.0.2.10', serialNumbers: ['Lab device (1)'] }
  const found = await verified(ciscoFtd, listed, { serialNumber: 'Lab device (1)' })
  expect(found).toMatchObject({ facts: { serialNumber: expect.stringMatching(/^digest /) } })
})

test.each([canary, 'a-token-of-letters-only'])(
  'a credential for a token type is not repeated (%s)',
  async (tokenType) => {
    const options = {
      grant: 'client_credentials',
      clientId: 'c',
      tokenEndpoint: 'https://a.test/t',
    }
    const error = await verified(oauth2, options, {}, { tokens: { ...issued, tokenType } })
    expect(error).toMatchObject({
      code: 'ERR_VERIFY_FAILED',
      message: 'the token is of another type; only Bearer can be served',
    })
  },
)

const pem = `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----\n`
test.each([
  ['an object', { clientId: { refreshToken: canary } }],
  ['a list', { clientId: [canary] }],
  [`a text of ${pem.length} characters`, { tls: { ca: pem } }],
  [
    'a text of 61 characters',
    {
      tls: { pins: [`${canary}-and-a-few-more-characters-than-any`.slice(0, 61).padEnd(61, '.')] },
    },
  ],
])('of %s in the wrong place of the configuration, only that is told', (what, options) => {
  const entry = { id: 'mdr', vendor: 'kaspersky-mdr', ...options }
  expect(() => decodeConnections([entry], vendors)).toThrow(`found ${what}; allowed is`)
  try {
    decodeConnections([entry], vendors)
  } catch (error) {
    expect(tracesOf([canary], prints(error))).toEqual([])
  }
})

test('a credential typed behind a command is not repeated', () => {
  for (const typed of [[canary], [`--refreshToken=${canary}`], [`-p${canary}`], ['-p', canary]]) {
    let told: unknown
    try {
      refuseUndeclared(['mdr', ...typed], connectionArguments)
    } catch (error) {
      told = error
    }
    expect(told).toMatchObject({ name: 'UsageError' })
    expect(tracesOf([canary], prints(told))).toEqual([])
  }
})
