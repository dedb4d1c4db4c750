import { ResponseError, VerifyFailedError } from '../core/errors.ts'
import { later } from '../core/renewal.ts'
import type { Call, Grant, HeldTokens, Http, TokenSet, Vendor, Verified } from '../core/vendor.ts'
import { readGrant } from './oauth2-answers.ts'
import { clientCertificate, clientOf } from './oauth2-client.ts'
import { Options, type Settings, serverOrigin, settingsOf } from './oauth2-options.ts'
import { type Server, speakTo } from './oauth2-server.ts'
import { claimsOf } from './token.ts'

// A refresh token that ran out less than this ago may still be taken by a server whose clock is behind.
const skewSeconds = 60

/** Fact of the ledger: introspection has called a refresh token of this client active. */
const proven = 'proven'

/**
 * Any authorization server that follows the RFCs, by configuration alone: RFC 6749 (grants), 7009
 * (revocation), 7523 and 8705 (client authentication), 7662 (introspection), 8414 (metadata), 8707
 * (resources).
 *
 * Not in the RFCs, and how it is met: that a refused client authentication or request has used nothing
 * up (seen on `oidc-provider`; a token that was used up all the same shows as `invalid_grant` at the next
 * try); that `{"active":false}` means used up (RFC 7662, section 2.2 also allows it to mean "not for
 * you", so it counts only once the same server has called a refresh token of ours active).
 *
 * A refused client authentication is told once and tried again by the back-off, at most every 15
 * minutes: what is wrong is as often the configuration or the server as the secret.
 */
export const oauth2: Vendor = {
  id: 'oauth2',
  title: 'OAuth 2.0',
  options: Options,
  credentialFields: ['clientId', 'clientSecret', 'refreshToken', 'privateKey', 'certificate'],
  enrollmentSteps: [
    'at the authorization server, check that the client exists, may use the configured grant, and that its secret, key or certificate is still good; make a new one if not',
    'for the grant refresh_token: have a person authorize the client anew with offline access, and have the new refresh token at hand; nothing else may use it from then on',
  ],
  spends: (connection) => spends(settingsOf(connection)),
  url(connection) {
    const settings = settingsOf(connection)
    return settings.baseUrl?.replace(/\/+$/, '') ?? serverOrigin(settings)
  },
  accessLifetimeSeconds: (connection) => settingsOf(connection).accessTokenLifetimeSeconds,
  tlsMaterial: clientCertificate,

  connect(connection, credential, http) {
    const settings = settingsOf(connection)
    const client = clientOf(settings, credential)
    const server = speakTo(settings, client, http)
    const parameters = parametersOf(settings)

    const refresh: Grant = {
      name: 'refresh_token',
      spends: spends(settings),
      usable: hasRefreshToken,
      prepare: server.prepare,
      ...(settings.revokeSuperseded ? { revokesHeld: true } : {}),
      async request(held, call) {
        const answer = await server.request(held.refreshToken, parameters, call)
        return readGrant(answer, held, call.now, settings, client)
      },
    }
    const clientCredentials: Grant = {
      name: 'client_credentials',
      spends: 'nothing',
      // What is to be revoked later has to be held until then.
      ...(settings.revokeSuperseded ? {} : { keeps: 'nothing' }),
      usable: () => true,
      async request(_held, call) {
        const answer = await server.request(undefined, parameters, call)
        // RFC 6749, section 4.4.3: no refresh token; one that comes all the same is not needed.
        const {
          refreshToken: _,
          refreshExpiresAt: __,
          ...tokens
        } = readGrant(answer, {}, call.now, settings, client)
        return tokens
      },
    }
    const canIntrospect =
      settings.issuer !== undefined || settings.introspectionEndpoint !== undefined

    return {
      grants: [settings.grant === 'refresh_token' ? refresh : clientCredentials],
      headers: ({ accessToken }) => ({ Authorization: `Bearer ${accessToken.reveal()}` }),
      async verify(tokens, call) {
        const verified = await verify(tokens, settings, http, call)
        const { certificateEnd: notAfter } = client
        return {
          ...verified,
          ...(notAfter === undefined
            ? {}
            : { certificates: [{ name: 'client certificate', notAfter }] }),
          ...(canIntrospect ? await introspectionProof(tokens, server, call) : {}),
        }
      },
      ...(canIntrospect
        ? {
            async introspect(refreshToken, call) {
              if (await server.isActive(refreshToken, call)) return 'active'
              if (call.known.introspection === proven) return 'inactive'
              throw new ResponseError(
                'introspection says inactive, but has never called a refresh token of this client active',
                { status: 200, spent: 'no' },
              )
            },
          }
        : {}),
      ...(settings.revokeSuperseded
        ? {
            async revoke(superseded, held, call) {
              for (const { accessToken } of superseded) {
                if (accessToken.reveal() === held.accessToken.reveal()) continue
                await server.revoke(accessToken, call)
              }
              return (await hasDied(held, server, call)) ? 'held-ended' : undefined
            },
          }
        : {}),
      close: http.close,
    }
  },
}

function spends({ grant, rotatesRefreshToken }: Settings): 'nothing' | 'refresh-token' {
  return grant === 'refresh_token' && rotatesRefreshToken ? 'refresh-token' : 'nothing'
}

function parametersOf({ scope, resource, audience, parameters }: Settings): [string, string][] {
  return [
    ...Object.entries(parameters ?? {}),
    ...(scope === undefined ? [] : [['scope', scope] satisfies [string, string]]),
    ...[resource ?? []].flat().map((uri): [string, string] => ['resource', uri]),
    ...(audience === undefined ? [] : [['audience', audience] satisfies [string, string]]),
  ]
}

/** Sent only while it can be alive: a token that has certainly run out is not spent for nothing. */
function hasRefreshToken({ refreshToken, refreshExpiresAt }: HeldTokens, now: Date): boolean {
  if (refreshToken === undefined) return false
  const end = refreshExpiresAt ?? claimsOf(refreshToken).exp
  return end === undefined || later(end, skewSeconds) > now
}

/** Registered with IANA beside Bearer; `mac` is of a draft that some servers follow. */
const tokenTypes = ['DPoP', 'PoP', 'N_A', 'mac']

async function verify(
  { accessToken, tokenType }: TokenSet,
  { verifyUrl }: Settings,
  http: Http,
  call: Call,
): Promise<Verified> {
  // Its pair is kept, but no consumer could send it (RFC 6749, section 7.1).
  if (tokenType !== 'Bearer') {
    // A server that puts a token there must not find it in a message.
    const type = tokenTypes.find((known) => known.toLowerCase() === tokenType.toLowerCase())
    const found = type === undefined ? 'another type' : `type ${type}`
    throw new VerifyFailedError(`the token is of ${found}; only Bearer can be served`, true)
  }
  if (verifyUrl === undefined) return {}
  const { status } = await http.request({
    name: 'verifyUrl',
    method: 'GET',
    url: verifyUrl,
    headers: { authorization: `Bearer ${accessToken.reveal()}` },
    timeoutSeconds: call.timeoutSeconds,
  })
  if (status >= 200 && status < 300) return {}
  if (status === 403) {
    return {
      warning: 'verifyUrl answers 403: the token is good, but not for that; check its scope',
    }
  }
  throw new VerifyFailedError(`verifyUrl answered status ${status}`, status === 401)
}

/** A server is believed when it says "inactive" once it has said "active" of a token that surely is. */
async function introspectionProof(
  { refreshToken }: TokenSet,
  server: Server,
  call: Call,
): Promise<Pick<Verified, 'facts'>> {
  if (refreshToken === undefined || call.known.introspection === proven) return {}
  const isActive = await server.isActive(refreshToken, call).catch(() => false)
  return isActive ? { facts: { introspection: proven } } : {}
}

/** Whether revoking an old token has ended the held pair as well. */
async function hasDied({ refreshToken }: TokenSet, server: Server, call: Call): Promise<boolean> {
  if (refreshToken === undefined || call.known.introspection !== proven) return false
  return !(await server.isActive(refreshToken, call))
}
