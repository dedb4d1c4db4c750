import { Readable } from 'node:stream'
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { main } from '../../lib/cli/main.ts'
import { enrollmentSecretId } from '../../lib/core/documents.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { everyConnection, type WatchedScene, watchedScene } from './scene.ts'
import { secretsOf } from './wire.ts'

/** One connection of every vendor. */
const ids = [
  'mdr-demo',
  'ftd-custom-demo',
  'ksc-totp-demo',
  'incydr-user-demo',
  'kics-demo',
  'oauth2-private-key-demo',
]

let at: WatchedScene
let typed = 0
/** A credential that nobody has typed yet. */
const canary = () => {
  const made = `canary-${++typed}-made-up`
  at.search.add(made)
  return made
}
const base64 = (text: string) => Buffer.from(text).toString('base64')
const pem = (text: string, what = 'PRIVATE KEY') =>
  `-----BEGIN ${what}-----\n${base64(text)}\n-----END ${what}-----\n`

/** What an operator types, with this piped in. */
async function command(argv: readonly string[], input = '') {
  const { stdin } = process
  Object.defineProperty(process, 'stdin', { value: Readable.from([input]), configurable: true })
  const connections = ['--connections', process.env.TOKEN_ROTATOR_CONNECTIONS ?? '']
  await at.keep(() => main([...argv, ...connections]))
  Object.defineProperty(process, 'stdin', { value: stdin, configurable: true })
}

/** Ways to get one field of a credential wrong, or right in form and wrong in fact. */
const mistaken: readonly ((secret: string) => unknown)[] = [
  (secret) => secret,
  (secret) => `${secret} \u0007\n${secret}`,
  (secret) => base64(secret),
  (secret) => pem(secret),
  (secret) => pem(secret, 'CERTIFICATE'),
  (secret) => [secret],
  (secret) => ({ value: secret }),
]

/** Documents that a person has put into the enrollment secret by other means. */
const documents: readonly ((field: string, secret: string) => string)[] = [
  (field, secret) => `{"${field}":"${secret}`,
  (field, secret) => `{"${field}":"${secret}" "x"}`,
  (_, secret) => secret,
  (_, secret) => JSON.stringify(secret),
  (_, secret) => JSON.stringify([secret]),
  (field, secret) => JSON.stringify({ [field]: [secret] }),
  (field, secret) => JSON.stringify({ [field]: { value: secret } }),
  (field, secret) => JSON.stringify({ [field]: `${secret}\n` }),
  (field, secret) => JSON.stringify({ [field]: secret, schema: secret }),
  (field, secret) => JSON.stringify({ [field]: secret, expiresAt: secret, writtenAs: secret }),
  (field, secret) => JSON.stringify({ [field]: secret, superseded: [{ accessToken: [secret] }] }),
]

const fieldsOf = (id: string): readonly string[] =>
  vendors[at.members.find((one) => one.id === id)?.demo.vendor ?? '']?.credentialFields ?? []

beforeAll(async () => {
  at = await watchedScene(everyConnection.filter(({ id }) => ids.includes(id)))
  for (const id of ids) {
    const enroll = (fields: unknown) => command(['enroll', id], JSON.stringify(fields))
    for (const field of fieldsOf(id)) {
      for (const wrong of mistaken) await enroll({ [field]: wrong(canary()) })
    }
    for (const wrong of mistaken) {
      await enroll(Object.fromEntries(fieldsOf(id).map((field) => [field, wrong(canary())])))
    }
    await enroll({ passwort: canary(), [fieldsOf(id)[0] ?? '']: canary() })
    for (const input of [
      canary(),
      `{"password":"${canary()}`,
      `"${canary()}"`,
      `["${canary()}"]`,
    ]) {
      await command(['enroll', id], input)
    }
    await command(['enroll', id, canary()])
    await command(['enroll', id, `--${fieldsOf(id)[0]}=${canary()}`])
    await command(['rotate', id])
  }
  const { pfx, pfxPassword } =
    at.members.find(({ id }) => id === 'kics-demo')?.simulator.credential ?? {}
  at.search.add(...secretsOf({ pfx, pfxPassword }))
  for (const fields of [
    { pfx, pfxPassword },
    { pfx, pfxPassword: canary() },
    { pfx: canary(), pfxPassword },
  ]) {
    await command(['enroll', 'kics-demo'], JSON.stringify(fields))
  }
  await at.tick()
  await command(['status'])
  await command(['status', '--json'])

  const secrets = new SecretsManagerClient({})
  for (const document of documents) {
    for (const id of ids) {
      const SecretString = document(fieldsOf(id)[0] ?? '', canary())
      const SecretId = enrollmentSecretId(id)
      await secrets.send(new PutSecretValueCommand({ SecretId, SecretString }))
      await command(['rotate', id])
    }
    await at.tick()
  }
  secrets.destroy()
  await command(['status'])
  await command(['status', '--json'])
  await at.enrollAll()
  await at.tick()
  await command(['status', '--json'])
}, 300_000)
afterAll(() => at.close())

test('commands and ticks have met what they were meant to meet', async () => {
  const { 'standard output and error': printed = '', ...rest } = await at.sinks()
  expect(typed).toBeGreaterThan(300)
  for (const met of [
    'enrolled kics-demo',
    'enrolled mdr-demo',
    'is not a credential of',
    'has the wrong shape',
    'standard input: allowed is a JSON object',
    'unexpected argument at place 2',
    "Unknown option '--",
    '(ERR_CONFIG)',
  ]) {
    expect(printed.includes(met), met).toBe(true)
  }
  for (const met of ['is not JSON', 'is a list', 'ERR_GRANT_REFUSED', '"outcome":"rotated"']) {
    expect(Object.values(rest).join().includes(met), met).toBe(true)
  }
})

describe('what a person types, pipes in or stores by hand does not show', () => {
  test.each([
    'standard output and error',
    'what is returned or thrown',
    'errors and their causes',
    'events',
    'ledger',
  ])('in %s', async (sink) => {
    const text = (await at.sinks())[sink] ?? ''
    expect(text.length).toBeGreaterThan(500)
    expect(at.search.find(text, sink)).toEqual([])
  })
})
