import type { Simulator } from './simulators/simulator.ts'

/** One connection of local mode: how it is configured, and how a consumer would use its token. */
export interface DemoConnection {
  readonly id: string
  /** Vendor id, and name of its simulator. */
  readonly vendor: string
  /** Which of its kinds of client the simulator hands out, where it has several. */
  readonly variant?: string
  /** The entry for `connections.json`, given the running simulator. */
  readonly configure: (simulator: Simulator) => Record<string, unknown>
  /** Credential fields to enroll, of those that the simulator hands out. */
  readonly enroll: readonly string[]
  /** A cheap call that a consumer would make. */
  readonly call: (simulator: Simulator) => { method: 'GET' | 'POST'; url: string; json?: unknown }
}

/** One of every vendor, and of every way to use it that behaves differently. */
export const demoConnections: readonly DemoConnection[] = [
  {
    id: 'mdr-demo',
    vendor: 'kaspersky-mdr',
    configure: ({ url, credential, ca }) => ({ url, clientId: credential.clientId, tls: { ca } }),
    enroll: ['refreshToken'],
    call: ({ url, credential }) => ({
      method: 'POST',
      url: `${url}/api/v1/${credential.clientId}/incidents/count`,
      json: {},
    }),
  },
  {
    id: 'ftd-demo',
    vendor: 'cisco-ftd',
    configure: ({ url, pin }) => ({ url, tls: { pins: [pin] } }),
    enroll: ['username', 'password'],
    call: ({ url }) => ({ method: 'GET', url: `${url}/api/fdm/latest/object/networks?limit=1` }),
  },
  {
    id: 'ftd-custom-demo',
    vendor: 'cisco-ftd',
    configure: ({ url, ca }) => ({
      url,
      customToken: { desiredExpiresIn: 3600, desiredRefreshExpiresIn: 86_400 },
      tls: { ca },
    }),
    enroll: ['username', 'password'],
    call: ({ url }) => ({
      method: 'GET',
      url: `${url}/api/fdm/latest/operational/systeminfo/default`,
    }),
  },
  {
    id: 'oauth2-refresh-demo',
    vendor: 'oauth2',
    configure: ({ url, credential, ca }) => ({
      issuer: credential.issuer,
      grant: 'refresh_token',
      clientId: credential.clientId,
      verifyUrl: `${url}/api/alerts`,
      tls: { ca },
    }),
    enroll: ['clientSecret', 'refreshToken'],
    call: oauth2Call,
  },
  {
    id: 'oauth2-client-credentials-demo',
    vendor: 'oauth2',
    variant: 'client_credentials',
    configure: ({ url, credential, ca }) => ({
      tokenEndpoint: `${url}/token`,
      grant: 'client_credentials',
      clientId: credential.clientId,
      scope: 'api:read',
      tls: { ca },
    }),
    enroll: ['clientSecret'],
    call: oauth2Call,
  },
  {
    id: 'oauth2-private-key-demo',
    vendor: 'oauth2',
    variant: 'private_key_jwt',
    configure: ({ credential, ca }) => ({
      issuer: credential.issuer,
      grant: 'refresh_token',
      clientId: credential.clientId,
      clientAuthentication: 'private_key_jwt',
      privateKeyAlgorithm: 'ES256',
      tls: { ca },
    }),
    enroll: ['privateKey', 'refreshToken'],
    call: oauth2Call,
  },
  {
    id: 'oauth2-mtls-demo',
    vendor: 'oauth2',
    variant: 'tls_client_auth',
    configure: ({ credential, ca }) => ({
      issuer: credential.issuer,
      grant: 'refresh_token',
      clientId: credential.clientId,
      clientAuthentication: 'tls_client_auth',
      tls: { ca },
    }),
    enroll: ['certificate', 'privateKey', 'refreshToken'],
    call: oauth2Call,
  },
]

function oauth2Call({ url }: Simulator) {
  return { method: 'GET' as const, url: `${url}/api/alerts` }
}
