import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createHandler, type Handler } from '../../lib/aws/handler.ts'
import { main } from '../../lib/cli/main.ts'
import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import { createLedgerTable } from '../../lib/local/account.ts'
import { type AwsEndpoint, startAwsEndpoint } from '../../lib/local/aws/endpoint.ts'
import { createReplication } from '../../lib/local/aws/replication.ts'
import { kasperskyMdr as simulated } from '../../lib/local/simulators/kaspersky-mdr.ts'
import { kasperskyMdr } from '../../lib/vendors/kaspersky-mdr.ts'
import { captured, context } from './account.ts'

const id = 'mdr-prod'
const enrollment = enrollmentSecretId(id)
const consumer = consumerSecretId(id)
const runbook = await readFile('docs/regions.md', 'utf8')

/** The commands of one section of the runbook, in order. */
function commandsOf(section: string): string[] {
  const [, text = ''] = runbook.split(`\n## ${section}\n`)
  const [own = ''] = text.split('\n## ')
  return [...own.matchAll(/^ *(AWS_REGION=.*|aws .*)$/gm)].map(([, line]) => line ?? '')
}

/** One region: an endpoint that can be cut off and come back, and the function that is deployed there. */
async function region(name: string, replication: ReturnType<typeof createReplication>) {
  const dataDir = await mkdtemp(join(tmpdir(), 'token-rotator-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  let endpoint: AwsEndpoint | undefined
  let port = 0
  const open = async () => {
    endpoint = await startAwsEndpoint({ port, dataDir, region: name, replication })
    port = endpoint.port
  }
  const close = async () => {
    await endpoint?.close()
    endpoint = undefined
  }
  await open()
  onTestFinished(close)
  const url = `http://127.0.0.1:${port}`
  const config = {
    endpoint: url,
    region: name,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  }
  const secrets = new SecretsManager(config)
  const dynamo = new DynamoDBClient(config)
  onTestFinished(() => {
    secrets.destroy()
    dynamo.destroy()
  })
  await createLedgerTable(dynamo, 'token-rotator-ledger')
  const handler: Handler = createHandler(kasperskyMdr)
  return { name, url, secrets, handler, open, close }
}
type Region = Awaited<ReturnType<typeof region>>

/** Two regions with one connection, of which the first is enrolled. */
async function deployed() {
  const simulator = await simulated.start()
  onTestFinished(() => simulator.close())
  const replication = createReplication()
  const first = await region('eu-central-1', replication)
  const second = await region('eu-west-1', replication)
  const folder = await mkdtemp(join(tmpdir(), 'token-rotator-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const { url, ca, credential } = simulator
  const { clientId, refreshToken } = credential
  const list = join(folder, 'connections.json')
  const configured = { id, vendor: 'kaspersky-mdr', ...{ url, clientId, tls: { ca } } }
  await writeFile(list, JSON.stringify([configured]))
  for (const Name of [enrollment, consumer]) await first.secrets.createSecret({ Name })
  const SecretString = JSON.stringify({ refreshToken })
  await first.secrets.putSecretValue({ SecretId: enrollment, SecretString })
  const printed = captured()
  onTestFinished(() => void vi.unstubAllEnvs())

  /** Everything that runs in one region does so by that region's environment. */
  async function inside<T>({ name, url }: Region, work: () => Promise<T>): Promise<T> {
    for (const variable of Object.keys(process.env)) {
      if (/^(AWS_(?!SDK_JS_)|POWERTOOLS_|TOKEN_ROTATOR_)/.test(variable)) {
        vi.stubEnv(variable, undefined)
      }
    }
    for (const [variable, value] of Object.entries({
      AWS_ENDPOINT_URL: url,
      AWS_REGION: name,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      TOKEN_ROTATOR_LEDGER_TABLE: 'token-rotator-ledger',
      TOKEN_ROTATOR_CONNECTIONS: list,
      TOKEN_ROTATOR_REGIONS: `${first.name}=${first.url},${second.name}=${second.url}`,
    })) {
      vi.stubEnv(variable, value)
    }
    return work()
  }
  const outcomesOf = (where: Region) =>
    inside(where, async () => {
      const { outcomes } = await where.handler({}, context)
      return outcomes.map(({ outcome }) => outcome)
    })
  const command = (where: Region, ...argv: string[]) =>
    inside(where, () => main([...argv, '--connections', list]))

  return {
    simulator,
    replication,
    first,
    second,
    printed,
    tick: outcomesOf,
    /** A renewal before it is due, as time is short here. */
    async rotate(where: Region) {
      expect(await command(where, 'rotate', id)).toBe(0)
      return outcomesOf(where)
    },
    /** Runs a line of the runbook. */
    async follow(line: string) {
      // The AWS command line's own option: its first version does not look at AWS_REGION.
      const [, name] =
        /^AWS_REGION=(\S+) npm |^aws .* --region (\S+)/.exec(line)?.filter(Boolean) ?? []
      const where = [first, second].find((each) => each.name === name)
      if (where === undefined) throw new Error(`of no region: ${line}`)
      const [tool, service, operation = '', ...options] = line.split(' ')
      if (tool?.startsWith('AWS_REGION=')) {
        const [, npm, run, silent, script, ...argv] = line.split(' ')
        expect([npm, run, silent, script, argv.shift()].join(' ')).toBe(
          'npm run -s token-rotator --',
        )
        expect(await command(where, ...argv)).toBe(0)
        return
      }
      expect([tool, service]).toEqual(['aws', 'secretsmanager'])
      await awsCli(where.secrets, operation, options)
    },
    current: async (where: Region, SecretId: string): Promise<Record<string, unknown>> =>
      JSON.parse((await where.secrets.getSecretValue({ SecretId })).SecretString ?? ''),
  }
}

/** What the AWS command line makes of the options that the runbook uses. */
async function awsCli(client: SecretsManager, operation: string, options: string[]) {
  const at = (name: string) => options[options.indexOf(name) + 1] ?? ''
  const SecretId = at('--secret-id')
  if (operation === 'stop-replication-to-replica') {
    await client.stopReplicationToReplica({ SecretId })
    return
  }
  expect(operation).toBe('replicate-secret-to-regions')
  await client.replicateSecretToRegions({
    SecretId,
    AddReplicaRegions: [{ Region: at('--add-replica-regions').replace('Region=', '') }],
    ForceOverwriteReplicaSecret: options.includes('--force-overwrite-replica-secret'),
  })
}

test('the runbook fails over and back, with the primary gone in between; nothing is lost or spent twice', async () => {
  const { simulator, first, second, tick, rotate, follow, current, printed } = await deployed()
  for (const line of commandsOf('Set up')) await follow(line)
  expect(await tick(first)).toEqual(['rotated'])
  expect(await tick(second)).toEqual(['standby'])
  expect(await rotate(first)).toEqual(['rotated'])
  expect(await current(second, consumer)).toEqual(await current(first, consumer))

  // The primary is cut off.
  await first.close()
  const failOver = commandsOf('Fail over')
  expect(failOver).toHaveLength(4)
  for (const line of failOver) await follow(line)
  expect(await tick(second)).toEqual(['published'])
  expect(printed.text).toContain('eu-west-1 takes over mdr-prod')
  expect(await rotate(second)).toEqual(['rotated'])
  expect(simulator.counters()).toMatchObject({ spends: 3, presentedTwice: 0 })

  // It comes back, with its own secret, ledger and schedule.
  await first.open()
  expect(await rotate(first)).toEqual(['standby'])
  expect(await rotate(first)).toEqual(['standby'])
  expect(await rotate(second)).toEqual(['rotated'])
  expect(await tick(first)).toEqual([])
  expect(simulator.counters()).toMatchObject({ spends: 4, presentedTwice: 0 })

  const [takeOver = '', status = '', ...replicate] = commandsOf('Fail back')
  await follow(takeOver)
  expect(await tick(first)).toEqual(['published'])
  printed.text = ''
  await follow(status)
  expect(printed.text).toContain('last run published')
  expect(printed.text).toContain('at work: eu-central-1')
  expect(replicate).toHaveLength(2)
  for (const line of replicate) await follow(line)
  expect(await rotate(first)).toEqual(['rotated'])
  expect(await rotate(second)).toEqual(['standby'])
  expect(await current(second, enrollment)).toEqual(await current(first, enrollment))

  expect(simulator.counters()).toMatchObject({ spends: 5, presentedTwice: 0, refusals: 0 })
  const { refreshToken } = await current(first, enrollment)
  expect(simulator.holds(String(refreshToken))).toBe('live')
}, 60_000)
