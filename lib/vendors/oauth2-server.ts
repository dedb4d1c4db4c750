import {
  type AuthorizationServer,
  type ClientAuth,
  clientCredentialsGrantRequest,
  introspectionRequest,
  processIntrospectionResponse,
  processRevocationResponse,
  refreshTokenGrantRequest,
  revocationRequest,
} from 'oauth4webapi'
import { ConfigError } from '../core/errors.ts'
import type { Redacted } from '../core/redacted.ts'
import { later } from '../core/renewal.ts'
import type { Call, Http, HttpAnswer } from '../core/vendor.ts'
import { carrier, unreadable } from './oauth2-carrier.ts'
import type { Client } from './oauth2-client.ts'
import { asksFirst, discover, type Known } from './oauth2-discovery.ts'
import type { Settings } from './oauth2-options.ts'

/** The metadata and the clock are asked for no longer than this, in seconds; or half of a shorter call. */
const discoverySeconds = 10

/** An authorization server, spoken to as one client. Every call that is not a grant spends nothing. */
export interface Server {
  /** Finds out where requests go, if that has to be asked. @throws {AnyRotatorError} nothing was sent */
  readonly prepare: (call: Call) => Promise<void>
  /** Sends the grant, once. The answer is the server's own, whatever it says. */
  readonly request: (
    refreshToken: Redacted | undefined,
    parameters: [string, string][],
    call: Call,
  ) => Promise<HttpAnswer>
  /** RFC 7662. @throws {AnyRotatorError} it could not be found out */
  readonly isActive: (refreshToken: Redacted, call: Call) => Promise<boolean>
  /** RFC 7009. @throws {AnyRotatorError} it could not be revoked */
  readonly revoke: (accessToken: Redacted, call: Call) => Promise<void>
}

/**
 * `oauth4webapi` states requests and reads what is not a token; the project's own transport carries
 * them, with its limits, its errors and its TLS.
 */
export function speakTo(settings: Settings, client: Client, http: Http): Server {
  const registered = { client_id: client.clientId }
  let found: Promise<Known> | undefined

  /** Asked once per client, and again after a failure. */
  function find(call: Call): Promise<Known> {
    found ??= discover(settings, http, call).catch((error) => {
      found = undefined
      throw error
    })
    return found
  }

  async function dressed(call: Call) {
    const seconds = asksFirst(settings) ? patience(call) : 0
    const { server, aheadSeconds } = await find({ ...call, timeoutSeconds: seconds })
    const authentication: ClientAuth = client.authentication(later(call.now, aheadSeconds))
    const left = call.timeoutSeconds - seconds
    return { server, authentication, left }
  }

  return {
    async prepare(call) {
      if (asksFirst(settings)) await find(call)
    },

    async request(refreshToken, parameters, call) {
      const { server, authentication, left } = await dressed(call)
      const line = carrier(http, 'token request', left)
      const additionalParameters = new URLSearchParams(parameters)
      const options = line.options(server.token_endpoint)
      await (refreshToken === undefined
        ? clientCredentialsGrantRequest(
            server,
            registered,
            authentication,
            additionalParameters,
            options,
          )
        : refreshTokenGrantRequest(server, registered, authentication, refreshToken.reveal(), {
            ...options,
            additionalParameters,
          }))
      return line.answer()
    },

    async isActive(refreshToken, call) {
      const { server, authentication, left } = await dressed(call)
      const endpoint = required(server, 'introspection_endpoint', 'introspectionEndpoint')
      const line = carrier(http, 'introspection', left)
      const response = await introspectionRequest(
        server,
        registered,
        authentication,
        refreshToken.reveal(),
        { ...line.options(endpoint), additionalParameters: { token_type_hint: 'refresh_token' } },
      )
      const read = processIntrospectionResponse(server, registered, response)
      return (await read.catch(unreadable('introspection', line))).active
    },

    async revoke(accessToken, call) {
      const { server, authentication, left } = await dressed(call)
      const endpoint = required(server, 'revocation_endpoint', 'revocationEndpoint')
      const line = carrier(http, 'revocation', left)
      const response = await revocationRequest(
        server,
        registered,
        authentication,
        accessToken.reveal(),
        { ...line.options(endpoint), additionalParameters: { token_type_hint: 'access_token' } },
      )
      await processRevocationResponse(response).catch(unreadable('revocation', line))
    },
  }
}

function patience({ timeoutSeconds }: Call): number {
  return Math.min(discoverySeconds, timeoutSeconds / 2)
}

function required(
  server: AuthorizationServer,
  name: 'introspection_endpoint' | 'revocation_endpoint',
  option: string,
): string {
  const endpoint = server[name]
  if (endpoint === undefined) throw new ConfigError(option, 'is neither configured nor discovered')
  return endpoint
}
