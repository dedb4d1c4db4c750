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
import { awsPorts } from '../../lib/aws/ports.ts'
import { isAccessDenied, nameOf } from '../../lib/aws/store-error.ts'
import { assumeRole } from '../../lib/cli/assumed-role.ts'
import { consumerSecretId, enrollmentSecretId, ledgerTableName } from '../../lib/core/documents.ts'
import { connectionId, connectionsAt, consumerRoleName } from './stacks.ts'
import { countsId, issueRefreshToken } from './vendor-function.ts'

/** What was deployed, as the stacks' outputs tell. */
export interface Deployed {
  readonly vendorUrl: string
  readonly vendorTable: string
  readonly functionName: string
  /** ARN of the role to enroll by. */
  readonly enrollRole: string
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
/** A new role and its policies are not known everywhere at once. */
const propagationSeconds = 120

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
    const words = ['bin/token-rotator.ts', name, connectionId]
    const options = ['--connections', list, '--role', deployed.enrollRole]
    const child = spawn(process.execPath, ['--import', 'tsx', ...words, ...options], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    child.stdin.end(input)
    const [status] = await once(child, 'exit')
    if (status !== 0) throw new Error(`${name} ended with status ${status}`)
  }

  const published = async (): Promise<Token | undefined> => {
    const SecretId = consumerSecretId(connectionId)
    const found = await secrets.getSecretValue({ SecretId }).catch(unlessMissing)
    const text = found?.SecretString
    return text === undefined ? undefined : v.parse(Published, JSON.parse(text)).headers
  }

  /** Waits until the role can be taken and reads what it may of the ledger. @throws {StoreError} it cannot */
  const untilEnrollRoleIsKnown = async () => {
    for (let second = 0; ; second += everySeconds) {
      try {
        const credentials = await assumeRole(deployed.enrollRole)
        const { ledger } = awsPorts({ ledgerTable: ledgerTableName, eventBus: '', credentials })
        await ledger.read('oauth2', connectionId)
        return
      } catch (error) {
        if (!isAccessDenied(error) || second >= propagationSeconds) throw error
        await sleep(everySeconds * 1000)
      }
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
      await untilEnrollRoleIsKnown()
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
    /** What comes of what should be denied on the enrollment secret: `done`, or the name of an error. */
    async tryEnrollmentSecret() {
      const SecretId = enrollmentSecretId(connectionId)
      const enrolling = new SecretsManager({ credentials: await assumeRole(deployed.enrollRole) })
      const read = (as: SecretsManager) =>
        as.getSecretValue({ SecretId }).then(() => 'done', nameOf)
      // Under a label of its own, so that it changes nothing should it be let through.
      const trial = { SecretString: 'trial', VersionStages: ['token-rotator-trial'] }
      return {
        readByAccount: await read(secrets),
        writtenByAccount: await secrets
          .putSecretValue({ SecretId, ...trial })
          .then(() => 'done', nameOf),
        readByEnrollRole: await read(enrolling),
      }
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
  const found = await tables
    .send(new DescribeTableCommand({ TableName: ledgerTableName }))
    .catch(unlessMissing)
  return found !== undefined
}

/** Deletes what outlives its stack, as far as it came into being: the ledger and both secrets. */
export async function deleteWhatIsKept(): Promise<void> {
  const tables = new DynamoDBClient()
  const secrets = new SecretsManager()
  const TableName = ledgerTableName
  await tables
    .send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }))
    .then(() => tables.send(new DeleteTableCommand({ TableName })))
    .catch(unlessMissing)
  for (const SecretId of [consumerSecretId(connectionId), enrollmentSecretId(connectionId)]) {
    await secrets.deleteSecret({ SecretId, ForceDeleteWithoutRecovery: true }).catch(unlessMissing)
  }
}

function unlessMissing(error: unknown): undefined {
  if (nameOf(error) !== 'ResourceNotFoundException') throw error
}
