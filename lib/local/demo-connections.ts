import type { Simulator, SimulatorOptions } from './simulators/simulator.ts'

/** One connection of local mode: how it is configured, and how a consumer would use its token. */
export interface DemoConnection {
  readonly id: string
  /** Vendor id, and name of its simulator. */
  readonly vendor: string
  /** How its simulator is started, e.g. with a fault for good that makes the vendor behave otherwise. */
  readonly simulator?: Pick<SimulatorOptions, 'fault' | 'speed' | 'variant'>
  /** The entry for `connections.json`, given the running simulator. */
  readonly configure: (simulator: Simulator) => Record<string, unknown>
  /** Credential fields to enroll, of those that the simulator hands out. */
  readonly enroll: readonly string[]
  /** A cheap call that a consumer would make. */
  readonly call: (simulator: Simulator) => { method: 'GET' | 'POST'; url: string; json?: unknown }
}

/** What a consumer of Security Center asks, whatever its session leads to. */
const ping: DemoConnection['call'] = ({ url }) => ({
  method: 'POST',
  url: `${url}/api/v1.0/Session.Ping`,
  json: {},
})

/**
 * Sessions idle out after 18 s at every speed: at the speed of the rest they would not outlive the two
 * seconds for which a busy machine may hold up this whole process.
 */
const idling = { speed: 10 }

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
    id: 'ksc-demo',
    vendor: 'kaspersky-security-center',
    simulator: idling,
    configure: ({ url, ca }) => ({ url, tls: { ca } }),
    enroll: ['username', 'password', 'internal'],
    call: ping,
  },
  {
    id: 'ksc-gateway-demo',
    vendor: 'kaspersky-security-center',
    simulator: idling,
    configure: ({ url, ca, credential: { slaveServerId, hostId } }) => ({
      url,
      path: [{ secondaryServer: slaveServerId }, { agent: hostId }],
      tls: { ca },
    }),
    enroll: ['username', 'password', 'internal'],
    call: ping,
  },
  {
    id: 'ksc-totp-demo',
    vendor: 'kaspersky-security-center',
    simulator: { ...idling, fault: 'second-factor' },
    configure: ({ url, ca }) => ({ url, tls: { ca } }),
    enroll: ['username', 'password', 'totpSecret'],
    call: ping,
  },
  {
    id: 'incydr-demo',
    vendor: 'code42-incydr',
    configure: ({ url, ca }) => ({ url, tls: { ca } }),
    enroll: ['clientId', 'clientSecret'],
    call: ({ url }) => ({ method: 'GET', url: `${url}/v1/customer` }),
  },
  {
    id: 'incydr-user-demo',
    vendor: 'code42-incydr',
    configure: ({ url, ca }) => ({ flow: 'user-token', url, consoleUrl: url, tls: { ca } }),
    enroll: ['username', 'password', 'totpSecret'],
    call: ({ url }) => ({ method: 'GET', url: `${url}/api/v1/User/my` }),
  },
  {
    id: 'incydr-refresh-demo',
    vendor: 'code42-incydr',
    configure: ({ url, ca }) => ({
      flow: 'refresh-pair',
      url,
      refreshUrl: `${url}/v1/refresh-token`,
      tls: { ca },
    }),
    enroll: ['refreshToken'],
    call: ({ url }) => ({ method: 'GET', url: `${url}/v1/users?active=true&page=1&pageSize=1` }),
  },
  {
    id: 'kics-demo',
    vendor: 'kics-for-networks',
    configure: kics('/kics/api'),
    enroll: ['pfx', 'pfxPassword'],
    call: ({ url }) => ({ method: 'GET', url: `${url}/kics/api/v3/about` }),
  },
  {
    id: 'kics-certificate-demo',
    vendor: 'kics-for-networks',
    simulator: { fault: 'no-refresh-token' },
    configure: kics('/kics4net/api'),
    enroll: ['certificate', 'privateKey', 'serverCertificate'],
    call: ({ url }) => ({
      method: 'POST',
      url: `${url}/kics4net/api/v4/devices/query`,
      json: { filter: [], sort: [], offset: 0, limit: 1 },
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
    simulator: { variant: 'client_credentials' },
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
    simulator: { variant: 'private_key_jwt' },
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
    simulator: { variant: 'tls_client_auth' },
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

/** The server is recognised by the certificate that its package brought, so nothing more is configured. */
function kics(prefix: string): DemoConnection['configure'] {
  return ({ url }) => ({ url: `${url}${prefix}`, tokenUrl: `${url}${prefix}/auth/v4/token` })
}

function oauth2Call({ url }: Simulator) {
  return { method: 'GET' as const, url: `${url}/api/alerts` }
}
