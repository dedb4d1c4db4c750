import { type AuthorizationServer, discoveryRequest, processDiscoveryResponse } from 'oauth4webapi'
import { isVendorUrl } from '../core/connection.ts'
import { ConfigError, ResponseError, TransportError } from '../core/errors.ts'
import type { Call, Http, HttpAnswer } from '../core/vendor.ts'
import { carrier, unreadable } from './oauth2-carrier.ts'
import type { Settings } from './oauth2-options.ts'

/** Where the server's endpoints are, and by how much its clock is ahead of ours. */
export interface Known {
  readonly server: AuthorizationServer
  readonly aheadSeconds: number
}

/** Whether something has to be asked of the server before the request that matters. */
export function asksFirst({ issuer, clientAuthentication }: Settings): boolean {
  return issuer !== undefined || clientAuthentication === 'private_key_jwt'
}

/**
 * Finds the endpoints and the clock. Nothing is sent that could be used up.
 *
 * @throws {ConfigError} there is no metadata, or not this issuer's
 * @throws {TransportError} sent 'no'
 * @throws {ResponseError} spent 'no'
 */
export async function discover(settings: Settings, http: Http, call: Call): Promise<Known> {
  try {
    return await find(settings, http, call)
  } catch (error) {
    throw nothingSent(error)
  }
}

async function find(settings: Settings, http: Http, call: Call): Promise<Known> {
  const { issuer, tokenEndpoint, introspectionEndpoint, revocationEndpoint } = settings
  const own = {
    ...(introspectionEndpoint === undefined
      ? {}
      : { introspection_endpoint: introspectionEndpoint }),
    ...(revocationEndpoint === undefined ? {} : { revocation_endpoint: revocationEndpoint }),
  }
  if (issuer !== undefined) {
    const { server, answer } = await readMetadata(issuer, settings, http, call)
    return { server: { ...server, ...own }, aheadSeconds: aheadOf(call.now, answer) }
  }
  const endpoint = tokenEndpoint ?? ''
  const server = { issuer: endpoint, token_endpoint: endpoint, ...own }
  if (!asksFirst(settings)) return { server, aheadSeconds: 0 }
  // What it answers to a GET does not matter, only the clock in the answer's Date.
  const answer = await http.request({
    name: 'clock',
    method: 'GET',
    url: endpoint,
    timeoutSeconds: call.timeoutSeconds,
  })
  return { server, aheadSeconds: aheadOf(call.now, answer) }
}

function aheadOf(now: Date, { headers }: HttpAnswer): number {
  const theirs = Date.parse(headers.date ?? '')
  return Number.isNaN(theirs) ? 0 : (theirs - now.getTime()) / 1000
}

/** RFC 8414, section 3; and OpenID Connect Discovery, which is all that some servers have. */
async function readMetadata(issuer: string, settings: Settings, http: Http, call: Call) {
  const url = new URL(issuer)
  const half = call.timeoutSeconds / 2
  let status = 0
  for (const algorithm of ['oauth2', 'oidc'] as const) {
    const line = carrier(http, 'discovery', half)
    const response = await discoveryRequest(url, { ...line.options(issuer), algorithm })
    status = response.status
    // Some answer every path with a page of theirs.
    if (status !== 200 || line.answer().json === undefined) continue
    const metadata = await processDiscoveryResponse(url, response).catch((error) => {
      if ((error as { code?: unknown }).code !== 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
        return unreadable('discovery', line)(error)
      }
      throw new ConfigError(
        'issuer',
        'the metadata found there is of another issuer; allowed is the issuer exactly as its server spells it',
      )
    })
    return { server: endpointsOf(metadata, settings), answer: line.answer() }
  }
  if (status === 200 || status >= 500 || status === 429) {
    throw new ResponseError('discovery gave no metadata', { status, spent: 'no' })
  }
  throw new ConfigError(
    'issuer',
    `no metadata is found there (status ${status}; redirects are not followed); check it, or configure tokenEndpoint instead`,
  )
}

/** The endpoints to use; those for client certificates where the metadata has them (RFC 8705, section 5). */
function endpointsOf(metadata: AuthorizationServer, settings: Settings): AuthorizationServer {
  const { issuer, mtls_endpoint_aliases: aliases } = metadata
  const isMtls = settings.clientAuthentication === 'tls_client_auth'
  const secure = (name: 'token_endpoint' | 'introspection_endpoint' | 'revocation_endpoint') => {
    const url = (isMtls ? aliases?.[name] : undefined) ?? metadata[name]
    // A query may stand in an endpoint (RFC 6749, section 3.2), but never a plain http beyond loopback.
    return typeof url === 'string' && isVendorUrl(url.replace(/\?.*$/, '')) ? { [name]: url } : {}
  }
  const token = secure('token_endpoint')
  if (token.token_endpoint === undefined) {
    throw new ConfigError('issuer', 'its metadata names no token endpoint with https')
  }
  return {
    issuer,
    ...token,
    ...secure('introspection_endpoint'),
    ...secure('revocation_endpoint'),
  }
}

/** Asking for metadata, for the clock, introspecting and revoking present no refresh token to be used up. */
function nothingSent(error: unknown): unknown {
  if (error instanceof TransportError) {
    return new TransportError(error.message, 'no', { cause: error })
  }
  if (error instanceof ResponseError && error.spent !== 'no') {
    const { status } = error
    return new ResponseError('discovery failed', { status, spent: 'no' }, { cause: error })
  }
  return error
}
