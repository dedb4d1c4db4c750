import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** What it hands out. */
export const session = {
  AccessKeyId: 'ASIAMADEUPSESSION',
  SecretAccessKey: 'made-up-session-key',
  SessionToken: 'made-up-session-token',
}

/** Who signed a request, by the id of the key, and with which session's token. */
export interface Signature {
  readonly keyId: string | undefined
  readonly token: string | undefined
}

/** Reads a signature of version 4, without verifying it. */
export function signatureOf(headers: NodeJS.Dict<string | string[]>): Signature {
  const [, keyId] = /Credential=([^/]+)\//.exec(String(headers.authorization)) ?? []
  const token = headers['x-amz-security-token']
  return { keyId, token: typeof token === 'string' ? token : undefined }
}

/**
 * AWS's Security Token Service on loopback, as far as `AssumeRole` goes.
 *
 * @param isAllowed whether a role may be taken, by its ARN
 */
export async function startTokenService(isAllowed: (roleArn: string) => boolean = () => true) {
  const asked: (Signature & { readonly roleArn: string })[] = []
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(await text(request))
    const roleArn = form.get('RoleArn') ?? ''
    asked.push({ ...signatureOf(request.headers), roleArn })
    const isTaken = form.get('Action') === 'AssumeRole' && isAllowed(roleArn)
    response.writeHead(isTaken ? 200 : 403, { 'content-type': 'text/xml' })
    response.end(isTaken ? taken(roleArn, form.get('RoleSessionName') ?? '') : refused)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: asked as readonly (typeof asked)[number][],
    close: () => void server.close().closeAllConnections(),
  }
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'

function taken(roleArn: string, name: string): string {
  const expiration = new Date(Date.now() + 3_600_000).toISOString()
  const credentials = Object.entries({ ...session, Expiration: expiration })
    .map(([key, value]) => `<${key}>${value}</${key}>`)
    .join('')
  const arn = roleArn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')
  return `<AssumeRoleResponse xmlns="${namespace}"><AssumeRoleResult><AssumedRoleUser><Arn>${arn}/${name}</Arn><AssumedRoleId>AROAMADEUP:${name}</AssumedRoleId></AssumedRoleUser><Credentials>${credentials}</Credentials></AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>`
}

const refused = `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/made-up is not authorized to perform: sts:AssumeRole</Message></Error><RequestId>1</RequestId></ErrorResponse>`
