import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { Call, Grant, TokenSet, VendorClient } from '../../lib/core/vendor.ts'
import { createHttp, transport } from '../../lib/http.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { kicsForNetworks } from '../../lib/vendors/kics-for-networks.ts'

export const now = new Date('2026-01-01T00:00:00Z')

export const call = (timeoutSeconds = 5): Call => ({ now, timeoutSeconds, known: {} })

/** A connection as it is configured, below one of the two prefixes. */
export function connectionOf(origin: string, more: object = {}, prefix = '/kics/api') {
  const configured = {
    id: 'ot-plant',
    vendor: 'kics-for-networks',
    url: `${origin}${prefix}`,
    tokenUrl: `${origin}${prefix}/auth/v4/token`,
    ...more,
  }
  const [connection] = decodeConnections([configured], vendors)
  if (connection === undefined) throw new Error('no connection')
  return connection
}

/** Of what a simulator hands out, the part that the enrollment secret holds. */
export function stored({ certificate, privateKey, serverCertificate }: Record<string, unknown>) {
  return { certificate, privateKey, serverCertificate }
}

/** The vendor's client over a real socket, with the TLS that a function would have. */
export function clientOf(
  connection: ReturnType<typeof connectionOf>,
  credential: Record<string, unknown>,
): VendorClient {
  const http = createHttp(transport(connection.tls, kicsForNetworks.tlsMaterial?.(credential)))
  onTestFinished(() => http.close())
  return kicsForNetworks.connect(connection, credential, http)
}

export function grantOf(client: VendorClient, name: string): Grant {
  const found = client.grants.find((grant) => grant.name === name)
  if (found === undefined) throw new Error(`no grant ${name}`)
  return found
}

export const byCertificate = (client: VendorClient, timeoutSeconds?: number): Promise<TokenSet> =>
  grantOf(client, 'certificate').request({}, call(timeoutSeconds))

export const byRefresh = (client: VendorClient, token: string, timeoutSeconds?: number) =>
  grantOf(client, 'refresh_token').request(
    { refreshToken: new Redacted(token) },
    call(timeoutSeconds),
  )

export interface Received {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

/** A server that gives one answer to everything, and keeps what it was asked. Plain, on loopback. */
export async function canned(
  status: number,
  body: string | object = '',
  headers: Record<string, string> = {},
) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const pieces = await request.toArray()
    const { method, url, headers: sent } = request
    received.push({ method, url, headers: sent, body: Buffer.concat(pieces).toString() })
    response.writeHead(status, headers)
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received }
}
