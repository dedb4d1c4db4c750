import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import { beforeEach, describe, expect, test } from 'vitest'
import { createHealer } from '../../lib/aws/abandoned-rotation.ts'
import { newItem } from '../../lib/core/ledger.ts'
import type { Outcome } from '../../lib/core/release.ts'
import type { Ports } from '../../lib/core/run.ts'
import { connect, id, labels } from '../local/aws/setup.ts'
import { portsOnEndpoint } from './ports-on-endpoint.ts'

const connection = 'ksc-hq'
const vendor = 'kaspersky-security-center'
const SecretId = 'token-rotator/ksc-hq/access-token'
const RotationLambdaARN = 'arn:aws:lambda:us-east-1:123456789012:function:rotator'
const quiet: [string[], Outcome[]] = [[connection], [{ connection, outcome: 'kept-alive' }]]
const notDue: [string[], Outcome[]] = [[connection], []]

let clock: { at: number }
beforeEach(() => {
  clock = { at: Date.parse('2026-01-01T00:00:00Z') }
})

/** A consumer secret with a value, and a rotation of it whose function was never reached. */
async function abandoned() {
  const { endpoint, secrets, ledger } = await portsOnEndpoint()
  const sdk = connect(endpoint, SecretsManager)
  await sdk.createSecret({ Name: SecretId, SecretString: 'one', ClientRequestToken: id(1) })
  endpoint.provideFunction(RotationLambdaARN, async () => {
    throw new Error('throttled')
  })
  await sdk.rotateSecret({ SecretId, RotationLambdaARN, ClientRequestToken: id(2) })
  const now = () => new Date(clock.at)
  const ports = { secrets, ledger, clock: { now } } as Ports
  const heal = createHealer(sdk, ports, vendor)
  expect(await labels(sdk, SecretId)).toEqual({ [id(1)]: ['AWSCURRENT'], [id(2)]: ['AWSPENDING'] })
  return { endpoint, sdk, heal, ledger }
}

const healed = { [id(1)]: ['AWSCURRENT'] }

describe('an empty version that holds AWSPENDING', () => {
  test('loses it once an hour has passed over it, so that rotation can be asked for again', async () => {
    const { sdk, heal } = await abandoned()
    await heal(...quiet)
    expect(await labels(sdk, SecretId)).not.toEqual(healed)
    clock.at += 3_599_000
    await heal(...quiet)
    expect(await labels(sdk, SecretId)).not.toEqual(healed)
    clock.at += 1000
    await heal(...quiet)
    expect(await labels(sdk, SecretId)).toEqual(healed)
    await sdk.rotateSecret({ SecretId, ClientRequestToken: id(3) })
  })

  test('loses it at once if the rotation has been cancelled', async () => {
    const { sdk, heal } = await abandoned()
    await sdk.cancelRotateSecret({ SecretId })
    await heal(...quiet)
    expect(await labels(sdk, SecretId)).toEqual(healed)
  })

  test('loses it as well while nothing is due for long', async () => {
    const { sdk, heal } = await abandoned()
    await heal(...notDue)
    clock.at += 3_600_000
    await heal(...notDue)
    expect(await labels(sdk, SecretId)).toEqual(healed)
  })

  test('keeps it while its order stands in the ledger: it is to be carried out as that version', async () => {
    const { sdk, heal, ledger } = await abandoned()
    const item = newItem({ vendor, connection }, new Date(clock.at))
    const ordered = { versionId: id(2), fence: 1 }
    await ledger.write({ ...item, ordered, revision: 1, writer: 'a test' })
    await sdk.cancelRotateSecret({ SecretId })
    await heal(...notDue)
    expect(await labels(sdk, SecretId)).toMatchObject({ [id(2)]: ['AWSPENDING'] })
  })

  test('keeps it if another rotation has begun since the last look', async () => {
    const { sdk, heal } = await abandoned()
    await heal(...quiet)
    await sdk.updateSecretVersionStage({
      SecretId,
      VersionStage: 'AWSPENDING',
      RemoveFromVersionId: id(2),
    })
    await sdk.rotateSecret({ SecretId, ClientRequestToken: id(3) })
    clock.at += 3_600_000
    await heal(...quiet)
    expect(await labels(sdk, SecretId)).toMatchObject({ [id(3)]: ['AWSPENDING'] })
  })

  test('keeps it after a run that takes it along by itself', async () => {
    const { endpoint, sdk, heal } = await abandoned()
    await sdk.cancelRotateSecret({ SecretId })
    const before = endpoint.calls().DescribeSecret
    await heal([connection], [{ connection, outcome: 'rotated' }])
    expect(endpoint.calls().DescribeSecret).toBe(before)
  })
})

test('a pending version with a value is left to whoever wrote it', async () => {
  const { sdk, heal } = await abandoned()
  await sdk.putSecretValue({
    SecretId,
    ClientRequestToken: id(2),
    SecretString: 'two',
    VersionStages: ['AWSPENDING'],
  })
  await sdk.cancelRotateSecret({ SecretId })
  await heal(...quiet)
  expect(await labels(sdk, SecretId)).toMatchObject({ [id(2)]: ['AWSPENDING'] })
})

test('a look that fails fails nothing else', async () => {
  const { endpoint, heal } = await abandoned()
  endpoint.inject({ operation: 'DescribeSecret', kind: 'access-denied' })
  await expect(heal(...quiet)).resolves.toBeUndefined()
})
