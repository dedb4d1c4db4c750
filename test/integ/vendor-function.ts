import { createHash, randomBytes } from 'node:crypto'
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'

/** What a function URL sends, as far as it matters here. */
export interface UrlEvent {
  readonly rawPath: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body?: string
  readonly isBase64Encoded: boolean
  readonly requestContext: { readonly http: { readonly method: string } }
}

export interface UrlAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The item that counts what was presented. */
export const countsId = 'counts'

const accessSeconds = 3600

/** How a token or a secret is known to the table and to the environment. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Puts a refresh token on record, as a console would. */
export async function issueRefreshToken(
  client: DynamoDBClient,
  TableName: string,
): Promise<string> {
  const token = randomBytes(32).toString('base64url')
  const Item = { id: { S: digest(token) }, spent: { BOOL: false } }
  await client.send(new PutItemCommand({ TableName, Item }))
  return token
}

/**
 * An OAuth 2.0 server with single-use refresh tokens: `POST /token` takes a refresh grant of the one
 * client, `GET /me` proves an access token. It lives in a table, by digests only, and counts in it what
 * was presented at all and what was presented twice.
 *
 * Environment: `TABLE`, `CLIENT_ID`, `CLIENT_SECRET_SHA256`.
 */
export async function handler(event: UrlEvent): Promise<UrlAnswer> {
  const client = new DynamoDBClient({})
  try {
    const route = `${event.requestContext.http.method} ${event.rawPath}`
    if (route === 'POST /token') return await grant(event, client)
    if (route === 'GET /me') return await me(event, client)
    return answer(404, { error: 'not_found' })
  } finally {
    client.destroy()
  }
}

async function grant(event: UrlEvent, client: DynamoDBClient): Promise<UrlAnswer> {
  if (!isClient(event.headers.authorization)) return answer(401, { error: 'invalid_client' })
  const form = new URLSearchParams(
    Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8').toString(),
  )
  const presented = form.get('refresh_token') ?? ''
  if (form.get('grant_type') !== 'refresh_token') {
    return answer(400, { error: 'unsupported_grant_type' })
  }
  await count(client, 'presented')
  try {
    await client.send(
      new UpdateItemCommand({
        TableName: process.env.TABLE,
        Key: { id: { S: digest(presented) } },
        UpdateExpression: 'SET spent = :yes',
        // Of two that come at once with the same token, the table lets one through.
        ConditionExpression: 'spent = :no',
        ExpressionAttributeValues: { ':yes': { BOOL: true }, ':no': { BOOL: false } },
      }),
    )
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error
    await count(client, 'refused')
    return answer(400, { error: 'invalid_grant' })
  }
  const accessToken = randomBytes(32).toString('base64url')
  const expiresAt = Math.floor(Date.now() / 1000) + accessSeconds
  await client.send(
    new PutItemCommand({
      TableName: process.env.TABLE,
      Item: { id: { S: digest(accessToken) }, expiresAt: { N: String(expiresAt) } },
    }),
  )
  return answer(200, {
    token_type: 'Bearer',
    access_token: accessToken,
    expires_in: accessSeconds,
    refresh_token: await issueRefreshToken(client, process.env.TABLE ?? ''),
  })
}

async function me(event: UrlEvent, client: DynamoDBClient): Promise<UrlAnswer> {
  const token = /^Bearer (.+)$/.exec(event.headers.authorization ?? '')?.[1] ?? ''
  const Key = { id: { S: digest(token) } }
  const { Item } = await client.send(
    new GetItemCommand({ TableName: process.env.TABLE, Key, ConsistentRead: true }),
  )
  const isGood = Number(Item?.expiresAt?.N ?? 0) > Date.now() / 1000
  return isGood ? answer(200, { tenant: 'integ' }) : answer(401, { error: 'invalid_token' })
}

function isClient(authorization = ''): boolean {
  const [, given = ''] = /^Basic (.+)$/.exec(authorization) ?? []
  const [id, secret] = Buffer.from(given, 'base64').toString().split(':').map(decodeURIComponent)
  return id === process.env.CLIENT_ID && digest(secret ?? '') === process.env.CLIENT_SECRET_SHA256
}

async function count(client: DynamoDBClient, what: 'presented' | 'refused'): Promise<void> {
  await client.send(
    new UpdateItemCommand({
      TableName: process.env.TABLE,
      Key: { id: { S: countsId } },
      UpdateExpression: 'ADD #what :one',
      ExpressionAttributeNames: { '#what': what },
      ExpressionAttributeValues: { ':one': { N: '1' } },
    }),
  )
}

function answer(statusCode: number, json: unknown): UrlAnswer {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return { statusCode, headers, body: JSON.stringify(json) }
}
