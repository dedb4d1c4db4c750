import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDB } from '@aws-sdk/client-dynamodb'
import { SSM } from '@aws-sdk/client-ssm'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startAwsEndpoint } from '../../../lib/local/aws/endpoint.ts'
import { connect, id, setUp } from './setup.ts'

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'local-aws-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** An endpoint on a folder that is not there yet, with something of everything in it. */
async function setUpFilled() {
  const dataDir = join(await temporaryFolder(), 'deep', 'data')
  const world = await setUp({ dataDir })
  const { secrets, endpoint, wait } = world
  await secrets.createSecret({ Name: 'a', ClientRequestToken: id(1), SecretString: 'value 1' })
  wait(60)
  await secrets.putSecretValue({
    SecretId: 'a',
    ClientRequestToken: id(2),
    SecretBinary: new Uint8Array([0, 255]),
    VersionStages: ['AWSPENDING'],
  })
  await secrets.createSecret({ Name: 'deleted' })
  await secrets.deleteSecret({ SecretId: 'deleted' })
  const parameters = connect(endpoint, SSM)
  await parameters.putParameter({ Name: '/p', Value: 'one', Type: 'SecureString' })
  const tables = connect(endpoint, DynamoDB)
  await tables.createTable({
    TableName: 'ledger',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  })
  await tables.putItem({ TableName: 'ledger', Item: { id: { S: 'one' } } })
  return { ...world, dataDir }
}

describe('a data folder', () => {
  test('holds everything for the next endpoint', async () => {
    const { endpoint, secrets, dataDir } = await setUpFilled()
    const described = await secrets.describeSecret({ SecretId: 'a' })
    const events = endpoint.events()
    await endpoint.close()

    const next = await setUp({ dataDir })
    const { $metadata: _, ...members } = described
    expect(await next.secrets.describeSecret({ SecretId: 'a' })).toMatchObject(members)
    expect(await next.secrets.getSecretValue({ SecretId: 'a' })).toMatchObject({
      SecretString: 'value 1',
    })
    expect(
      await next.secrets.getSecretValue({ SecretId: 'a', VersionStage: 'AWSPENDING' }),
    ).toMatchObject({ SecretBinary: new Uint8Array([0, 255]), VersionId: id(2) })
    await expect(next.secrets.createSecret({ Name: 'deleted' })).rejects.toMatchObject({
      name: 'InvalidRequestException',
    })
    expect(next.endpoint.events()).toEqual(events)
    const { Parameter } = await connect(next.endpoint, SSM).getParameter({
      Name: '/p',
      WithDecryption: true,
    })
    expect(Parameter).toMatchObject({ Value: 'one', Type: 'SecureString', Version: 1 })
    const { Item } = await connect(next.endpoint, DynamoDB).getItem({
      TableName: 'ledger',
      Key: { id: { S: 'one' } },
    })
    expect(Item).toEqual({ id: { S: 'one' } })
  })

  test('holds a write before it is acknowledged', async () => {
    const { secrets, dataDir } = await setUpFilled()
    await secrets.putSecretValue({ SecretId: 'a', SecretString: 'just acknowledged' })
    expect(await readFile(join(dataDir, 'state.json'), 'utf8')).toContain('just acknowledged')
  })

  test('holds all of many writes that come at once', async () => {
    const { secrets, dataDir } = await setUpFilled()
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        await secrets.createSecret({ Name: `many-${n}` })
        expect(await readFile(join(dataDir, 'state.json'), 'utf8')).toContain(`"many-${n}"`)
      }),
    )
  })

  test('and the files in it are for their owner only', async () => {
    const { dataDir } = await setUpFilled()
    const modeOf = async (path: string) => (await stat(path)).mode & 0o777
    expect(await modeOf(dataDir)).toBe(0o700)
    expect(await modeOf(join(dataDir, 'tables'))).toBe(0o700)
    expect(await modeOf(join(dataDir, 'state.json'))).toBe(0o600)
    expect(await modeOf(join(dataDir, 'occupant.json'))).toBe(0o600)
  })

  test('is not disturbed by a draft that a killed process left behind', async () => {
    const { endpoint, dataDir } = await setUpFilled()
    await endpoint.close()
    await writeFile(join(dataDir, 'state.json.new'), '{"schema":1,"secr')
    const { secrets } = await setUp({ dataDir })
    expect(await secrets.getSecretValue({ SecretId: 'a' })).toMatchObject({ VersionId: id(1) })
  })

  test('is refused to a second endpoint while the first is there', async () => {
    const { endpoint, dataDir } = await setUpFilled()
    await expect(startAwsEndpoint({ port: 0, dataDir })).rejects.toMatchObject({
      name: 'DataFolderError',
      message: `'${dataDir}' is in use by the endpoint at ${endpoint.url}`,
    })
  })

  test('is free again although a killed process left its mark', async () => {
    const { endpoint, dataDir } = await setUpFilled()
    const mark = await readFile(join(dataDir, 'occupant.json'))
    await endpoint.close()
    expect(await readdir(dataDir)).not.toContain('occupant.json')
    await writeFile(join(dataDir, 'occupant.json'), mark)
    await setUp({ dataDir })
  })

  test('with a file that is no state is refused without quoting it', async () => {
    const dataDir = await temporaryFolder()
    for (const content of ['canary', '{"schema":2,"secrets":["canary"]}']) {
      await writeFile(join(dataDir, 'state.json'), content)
      await expect(startAwsEndpoint({ port: 0, dataDir })).rejects.toMatchObject({
        name: 'DataFolderError',
        message: expect.not.stringContaining('canary'),
      })
    }
  })

  test('may not be a file, nor in one, nor where no folder can be made', async () => {
    const file = join(await temporaryFolder(), 'file')
    await writeFile(file, '')
    // Linux takes no folder in /proc, not even from root.
    for (const dataDir of [file, join(file, 'below'), '/proc/nothing']) {
      await expect(startAwsEndpoint({ port: 0, dataDir })).rejects.toMatchObject({
        name: 'DataFolderError',
        message: expect.stringContaining(`'${dataDir}' is not a folder that can be written to (E`),
      })
    }
  })
})
