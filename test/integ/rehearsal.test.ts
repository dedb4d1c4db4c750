import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createHandler } from '../../lib/aws/handler.ts'
import { deployLocally, provideConnections } from '../../lib/local/account.ts'
import { startAwsEndpoint } from '../../lib/local/aws/endpoint.ts'
import { oauth2 } from '../../lib/vendors/oauth2.ts'
import { captured, context } from '../aws/account.ts'
import { startTokenService } from '../cli/token-service.ts'
import { temporaryFolder } from '../temporary.ts'
import { type Account, openAccount } from './account.ts'
import { claims } from './claims.ts'
import { clientId, connectionId, connectionsAt } from './stacks.ts'
import { digest, handler as vendor } from './vendor-function.ts'

/** Milliseconds that a busy machine may take for seconds of work. */
const patience = 300_000

/** The vendor's function behind its URL, on loopback. */
async function startVendor(): Promise<string> {
  const server = createServer(async (request, response) => {
    const { statusCode, headers, body } = await vendor({
      rawPath: request.url ?? '',
      headers: { authorization: request.headers.authorization },
      body: Buffer.from(await text(request)).toString('base64'),
      isBase64Encoded: true,
      requestContext: { http: { method: request.method ?? '' } },
    })
    response.writeHead(statusCode, headers).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** What the stacks make, on an endpoint of the test's own, and the schedule going. */
async function deployed(): Promise<Account> {
  const endpoint = await startAwsEndpoint({ port: 0 })
  onTestFinished(() => endpoint.close())
  // A role that is just made is not known at once.
  const tokens = await startTokenService(() => tokens.asked.length > 1)
  onTestFinished(tokens.close)
  const environment = {
    ...{ AWS_ENDPOINT_URL: endpoint.url, AWS_REGION: 'us-east-1' },
    AWS_ENDPOINT_URL_STS: tokens.url,
    ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
    ...{ TABLE: 'vendor-records', CLIENT_ID: clientId, CLIENT_SECRET_SHA256: digest('made up') },
    TOKEN_ROTATOR_LEDGER_TABLE: 'token-rotator-ledger',
  }
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  onTestFinished(() => void vi.unstubAllEnvs())
  const tables = new DynamoDBClient({})
  await tables.send(
    new CreateTableCommand({
      TableName: 'vendor-records',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  )
  tables.destroy()
  await deployLocally([{ id: connectionId }])
  const vendorUrl = await startVendor()
  onTestFinished(await provideConnections(connectionsAt(vendorUrl)))

  const handler = createHandler(oauth2)
  let isOver = false
  const schedule = async () => {
    while (!isOver) {
      await handler({ 'detail-type': 'Scheduled Event' }, context)
      await sleep(200)
    }
  }
  const ticking = schedule()
  onTestFinished(() => {
    isOver = true
    return ticking
  })
  const enrollRole = 'arn:aws:iam::111122223333:role/enroll'
  const stacks = { vendorUrl, vendorTable: 'vendor-records', functionName: 'rotator', enrollRole }
  return {
    ...openAccount({ ...stacks, clientSecret: 'made up' }, temporaryFolder(), 0.05),
    // Lambda is not played by the endpoint.
    invoke: (event) =>
      handler(event, context).then(
        ({ outcomes }) => ({ outcomes, error: undefined }),
        ({ name }: Error) => ({ outcomes: undefined, error: name }),
      ),
  }
}

test(
  'what the trial in an account checks holds here, but for what only AWS itself can show',
  async () => {
    captured()
    const account = await deployed()
    for (const { title, needsIam, check } of claims) {
      if (needsIam === undefined) await expect(check(account), title).resolves.toBeUndefined()
    }
  },
  patience,
)

test('a claim that is not so is told', async () => {
  const nobody = { counts: async () => ({ presented: 3, refused: 1 }) } as unknown as Account
  await expect(claims.at(-1)?.check(nobody)).rejects.toThrow('found 3 presented, 1 refused')
})

test(
  'the dry run synthesizes both stacks, prints every step, and says that none has been tried',
  () => {
    const printed = execFileSync('npm', ['run', '-s', 'integ', '--', '--dry-run'], {
      encoding: 'utf8',
      // Whoever asked AWS for anything would have to wait, and fail.
      env: { PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: 'true' },
    })
    expect(printed).toContain('has not been run against AWS')
    expect(printed).toMatch(
      /^deploy TokenRotatorIntegVendor: \d+ resources\ndeploy TokenRotatorInteg: /m,
    )
    for (const { title } of claims) expect(printed).toContain(`check: ${title}\n`)
    expect(printed).toMatch(/^destroy TokenRotatorInteg\ndestroy TokenRotatorIntegVendor$/m)
  },
  patience,
)
