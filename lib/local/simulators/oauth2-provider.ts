import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { exportJWK, generateKeyPair } from 'jose'
import type { AdapterFactory, Provider } from 'oidc-provider'
import type { DemoClient } from './oauth2-clients.ts'

/** Lives of what the server issues, in seconds. */
export interface Lives {
  readonly access: number
  readonly clientCredentials: number
  readonly refresh: number
}

export interface ProviderOptions {
  readonly issuer: string
  readonly clients: readonly DemoClient[]
  readonly records: AdapterFactory
  readonly lives: Lives
  /** Whether a refresh token is used up by this use. */
  readonly rotates: () => boolean
  /** The connection on which a request arrived. */
  readonly socketOf: (request: IncomingMessage) => unknown
}

let loading: ReturnType<typeof loadQuietly> | undefined

/** Loads the library when it is first wanted. */
function load() {
  loading ??= loadQuietly()
  return loading
}

/**
 * The library remarks while it loads that it wants Node 22; what the simulator uses of it is proven on
 * 20 by its tests. Standard output and error belong to the command that runs.
 */
async function loadQuietly() {
  const { warn } = console
  console.warn = (...texts: unknown[]) => {
    if (!String(texts[0]).includes('oidc-provider WARNING: Unsupported runtime')) warn(...texts)
  }
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
  }
}

const account = 'analyst'
export const offlineScope = 'openid offline_access api:read'

/**
 * The authorization server, by people who had no part in this project: every refresh token is used up
 * by its use, and one that is presented again ends its whole family.
 *
 * @see https://github.com/panva/node-oidc-provider
 */
export async function createProvider(options: ProviderOptions): Promise<Provider> {
  const { issuer, clients, records, lives, rotates, socketOf } = options
  const keys = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(keys.privateKey)), use: 'sig', alg: 'ES256' }
  const socket = (request: IncomingMessage) => {
    const found = socketOf(request)
    return found instanceof TLSSocket ? found : undefined
  }
  const { Provider } = await load()
  const provider = new Provider(issuer, {
    adapter: records,
    clients: clients.map(({ metadata }) => metadata),
    jwks: { keys: [jwk] },
    scopes: ['openid', 'offline_access', 'api:read'],
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    rotateRefreshToken: rotates,
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'tls_client_auth',
      'none',
    ],
    enabledJWA: { idTokenSigningAlgValues: ['ES256'], clientAuthSigningAlgValues: ['ES256'] },
    ttl: {
      AccessToken: lives.access,
      ClientCredentials: lives.clientCredentials,
      RefreshToken: lives.refresh,
      IdToken: lives.access,
      // What a person agreed to outlives every token.
      Grant: 10 * 365 * 86_400,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, indicator) => ({
          scope: 'api:read',
          audience: indicator,
          accessTokenFormat: 'opaque',
        }),
      },
      mTLS: {
        enabled: true,
        tlsClientAuth: true,
        getCertificate: ({ req }) => {
          const raw = socket(req)?.getPeerCertificate().raw
          return raw === undefined ? undefined : new X509Certificate(raw)
        },
        certificateAuthorized: ({ req }) => socket(req)?.authorized === true,
        certificateSubjectMatches: ({ req }, property, expected) => {
          const raw = socket(req)?.getPeerCertificate().raw
          const isSubject = property === 'tls_client_auth_subject_dn'
          return isSubject && raw !== undefined && new X509Certificate(raw).subject === expected
        },
      },
    },
  })
  // Behind the simulator's own server, which has done the TLS.
  provider.proxy = true
  return provider
}

/** What a person's consent in a browser would give: a grant, and a refresh token that begins its family. */
export async function consent(provider: Provider, clientId: string): Promise<string> {
  const client = await provider.Client.find(clientId)
  if (client === undefined) throw new Error(`no client ${clientId}`)
  const grant = new provider.Grant({ accountId: account, clientId })
  grant.addOIDCScope(offlineScope)
  const grantId = await grant.save()
  const refreshToken = new provider.RefreshToken({
    accountId: account,
    client,
    grantId,
    gty: 'authorization_code',
    scope: offlineScope,
  })
  return refreshToken.save()
}
