import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parameterStore } from '../../lib/aws/parameter-store.ts'
import { secretsManagerStore } from '../../lib/aws/secrets-manager.ts'
import type { RotatorEvent } from '../../lib/core/events.ts'
import type { Fault } from '../../lib/local/aws/endpoint.ts'
import { prints, tracesOf } from '../canaries.ts'
import { fullItem } from '../core/store-contract.ts'
import { connect, id } from '../local/aws/setup.ts'
import { portsOnEndpoint } from './ports-on-endpoint.ts'

const canary = 'canary-pair-4f1e7700'
const secret = 'token-rotator/ftd-hq/enrollment'
const event: RotatorEvent = {
  type: 'Token Rotated',
  idempotencyKey: 'run-1/rotated',
  detail: {
    schema: 1,
    connection: 'ftd-hq',
    vendor: 'cisco-ftd',
    at: '2026-01-01T00:00:00.000Z',
    outcome: 'rotated',
  },
}

type Bench = Awaited<ReturnType<typeof portsOnEndpoint>>

/** Every AWS call that the adapters make, by the operation it is to AWS. */
const calls: Readonly<Record<string, (ports: Bench) => Promise<unknown>>> = {
  GetSecretValue: ({ secrets }) => secrets.read(secret),
  PutSecretValue: ({ secrets }) =>
    secrets.put(secret, { versionId: id(2), text: canary }, 'pending'),
  UpdateSecretVersionStage: ({ secrets }) => secrets.promote(secret, { from: id(1), to: id(1) }),
  GetItem: ({ ledger }) => ledger.read('cisco-ftd', 'ftd-hq'),
  PutItem: ({ ledger }) => ledger.write(fullItem),
  Query: ({ ledger }) => ledger.dues('cisco-ftd'),
  GetParameter: ({ parameters }) => parameters.read('/token-rotator/ftd-hq/escrow'),
  PutParameter: ({ parameters }) => parameters.write('/token-rotator/ftd-hq/escrow', canary),
  DeleteParameter: ({ parameters }) => parameters.remove('/token-rotator/ftd-hq/escrow'),
  PutEvents: ({ events }) => events.emit(event),
}

const kinds = {
  throttle: 'retry',
  'internal-error': 'retry',
  'drop-before': 'retry',
  'lost-ack': 'retry',
  'limit-exceeded': 'limit',
  'access-denied': 'denied',
} as const

describe.each(Object.entries(calls))('%s', (operation, call) => {
  test.each(Object.entries(kinds))('that meets %s is of the kind %s', async (kind, expected) => {
    const ports = await portsOnEndpoint([secret])
    await ports.secrets.put(secret, { versionId: id(1), text: canary }, 'current')
    await ports.parameters.write('/token-rotator/ftd-hq/escrow', canary)
    ports.endpoint.inject({ operation, kind } as Fault)
    const error: unknown = await call(ports).then(
      () => expect.unreachable('the call was answered'),
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ name: 'StoreError', code: 'ERR_STORE', kind: expected })
    expect((error as Error).message).toMatch(new RegExp(`^${operation} failed with \\w+$`))
    expect(tracesOf([canary], prints(error))).toEqual([])
    await call(ports)
  })
})

/** AWS as seen through something in between that does not speak its language. */
async function garbled(body: string) {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

describe.each([
  ['a bare secret', canary],
  ['a document cut short', `{"SecretString":"${canary}`],
  ['a document with something behind it', `{"SecretString":"${canary}"} ${canary}`],
])('an answer that is %s', (_what, body) => {
  test.each([
    [
      'a secret',
      (at: { url: string }) => secretsManagerStore(connect(at, SecretsManagerClient)).read(secret),
    ],
    [
      'a parameter',
      (at: { url: string }) => parameterStore(connect(at, SSMClient)).read('/escrow'),
    ],
  ])('to the reading of %s shows nothing of itself in the error', async (_of, read) => {
    const error: unknown = await read(await garbled(body)).then(
      () => expect.unreachable('the call was answered'),
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: 'ERR_STORE', kind: 'retry' })
    expect(tracesOf([canary], prints(error))).toEqual([])
  })
})

test('an endpoint where nobody listens is told by what the system says of it', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  server.close()
  await once(server, 'close')
  const read = secretsManagerStore(connect({ url }, SecretsManagerClient)).read(secret)
  await expect(read).rejects.toMatchObject({
    kind: 'retry',
    message: 'GetSecretValue failed with ECONNREFUSED',
  })
})

test('the cause of an error tells the request, for a question to AWS', async () => {
  const { endpoint, secrets } = await portsOnEndpoint([secret])
  endpoint.inject({ operation: 'GetSecretValue', kind: 'access-denied' })
  await expect(secrets.read(secret)).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/^AccessDeniedException, request [0-9a-f-]{36}$/) },
  })
})
