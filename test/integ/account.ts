import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import * as v from 'valibot'
import { nameOf } from '../../lib/aws/store-error.ts'
import { consumerSecretId, enrollmentSecretId, ledgerTableName } from '../../lib/core/documents.ts'
import { connectionId, connectionsAt, consumerRoleName } from './stacks.ts'
import { countsId, issueRefreshToken } from './vendor-function.ts'

/** What was deployed, as the stacks' outputs tell. */
export interface Deployed {
  readonly vendorUrl: string
  readonly vendorTable: string
  readonly functionName: string
  readonly clientSecret: string
}

const Answer = v.object({
  outcomes: v.optional(v.array(v.object({ connection: v.string(), outcome: v.string() }))),
  errorType: v.optional(v.string()),
})

const Published = v.object({ headers: v.record(v.string(), v.string()) })

/** Headers of the published token. */
export type Token = v.InferOutput<typeof Published>['headers']

const patienceSeconds = 180

export type Account = ReturnType<typeof openAccount>

/**
 * The account of the standard `AWS_*` environment, with the rotator deployed in it.
 *
 * @param folder an empty one, for the list of connections
 * @param everySeconds how often to look while waiting
 */
export function openAccount(deployed: Deployed, folder: string, everySeconds = 5) {
  const secrets = new SecretsManager()
  const tables = new DynamoDBClient()
  const lambda = new LambdaClient()
  const list = join(folder, 'connections.json')
  writeFileSync(list, JSON.stringify(connectionsAt(deployed.vendorUrl)))

  const command = async (name: string, input = '') => {
    const words = ['bin/token-rotator.ts', name, connectionId, '--connections', list]
    const child = spawn(process.execPath, ['--import', 'tsx', ...words], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    child.stdin.end(input)
    const [status] = await once(child, 'exit')
    if (status !== 0) throw new Error(`${name} ended with status ${status}`)
  }

  const published = async (): Promise<Token | undefined> => {
    try {
      const SecretId = consumerSecretId(connectionId)
      const { SecretString = '' } = await secrets.getSecretValue({ SecretId })
      return v.parse(Published, JSON.parse(SecretString)).headers
    } catch (error) {
      if (nameOf(error) === 'ResourceNotFoundException') return undefined
      throw error
    }
  }

  return {
    published,
    /** Waits for a token other than that one. @throws {Error} it does not come */
    async publishedOtherThan(before: Token | undefined): Promise<Token> {
      for (let second = 0; second < patienceSeconds; second += everySeconds) {
        const token = await published()
        if (token !== undefined && token.Authorization !== before?.Authorization) return token
        await sleep(everySeconds * 1000)
      }
      throw new Error(`no new token in ${patienceSeconds} s`)
    },
    async callVendor(headers: Token): Promise<number> {
      return (await fetch(new URL('me', deployed.vendorUrl), { headers })).status
    },
    /** What the function answers to an event. */
    async invoke(event: unknown) {
      const { Payload } = await lambda.send(
        new InvokeCommand({ FunctionName: deployed.functionName, Payload: JSON.stringify(event) }),
      )
      const text = Buffer.from(Payload ?? []).toString()
      const { outcomes, errorType } = v.parse(Answer, JSON.parse(text))
      return { outcomes, error: errorType }
    },
    async enroll(): Promise<void> {
      const refreshToken = await issueRefreshToken(tables, deployed.vendorTable)
      await command('enroll', JSON.stringify({ refreshToken, clientSecret: deployed.clientSecret }))
    },
    async rotate(): Promise<void> {
      await command('rotate')
    },
    /** What the vendor has counted. */
    async counts() {
      const { Item } = await tables.send(
        new GetItemCommand({
          TableName: deployed.vendorTable,
          Key: { id: { S: countsId } },
          ConsistentRead: true,
        }),
      )
      return { presented: Number(Item?.presented?.N ?? 0), refused: Number(Item?.refused?.N ?? 0) }
    },
    /** What a workload's role gets of both secrets: `read`, or the name of an error. */
    async readAsConsumer() {
      const sts = new STSClient()
      const { Account: id, Arn = '' } = await sts.send(new GetCallerIdentityCommand())
      const RoleArn = `arn:${Arn.split(':')[1]}:iam::${id}:role/${consumerRoleName}`
      const { Credentials } = await sts.send(
        new AssumeRoleCommand({ RoleArn, RoleSessionName: 'token-rotator-integ' }),
      )
      const consumer = new SecretsManager({
        credentials: {
          accessKeyId: Credentials?.AccessKeyId ?? '',
          secretAccessKey: Credentials?.SecretAccessKey ?? '',
          sessionToken: Credentials?.SessionToken ?? '',
        },
      })
      const read = (SecretId: string) =>
        consumer.getSecretValue({ SecretId }).then(() => 'read', nameOf)
      return {
        consumer: await read(consumerSecretId(connectionId)),
        enrollment: await read(enrollmentSecretId(connectionId)),
      }
    },
  }
}

/** Whether a ledger is there: names are fixed, and a trial must not touch an installation. */
export async function isInstalled(tables = new DynamoDBClient()): Promise<boolean> {
  try {
    await tables.send(new DescribeTableCommand({ TableName: ledgerTableName }))
    return true
  } catch (error) {
    if (nameOf(error) === 'ResourceNotFoundException') return false
    throw error
  }
}

/** Deletes what outlives its stack: the ledger and both secrets. */
export async function deleteWhatIsKept(): Promise<void> {
  const tables = new DynamoDBClient()
  const secrets = new SecretsManager()
  const TableName = ledgerTableName
  await tables.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }))
  await tables.send(new DeleteTableCommand({ TableName }))
  for (const SecretId of [consumerSecretId(connectionId), enrollmentSecretId(connectionId)]) {
    await secrets.deleteSecret({ SecretId, ForceDeleteWithoutRecovery: true })
  }
}
