import { randomBytes } from 'node:crypto'
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import type { ClientMetadata } from 'oidc-provider'
import type { IssuedCertificate } from '../certificate.ts'
import type { Credential } from './simulator.ts'

/** A registered client: what the server knows of it, and what its owner was handed. */
export interface DemoClient {
  readonly metadata: ClientMetadata
  readonly credential: Credential
}

/** Subject of the client certificate, as it is registered. */
export const certificateName = 'token-rotator demo'

/**
 * One client for every way of proving oneself, by the name of that way.
 *
 * @param certificate shown by the `tls_client_auth` client; without one there is no such client
 */
export async function demoClients(
  certificate: IssuedCertificate | undefined,
): Promise<Readonly<Record<string, DemoClient>>> {
  // Characters that tell who forgot to encode them (RFC 6749, section 2.3.1); a colon separates the two.
  const secret = () => `%+/=: ${randomBytes(24).toString('base64')}`
  const keys = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'demo', use: 'sig', alg: 'ES256' }
  const rows: Record<string, { known?: Partial<ClientMetadata>; handed?: Credential }> = {
    client_secret_basic: withSecret(secret()),
    client_secret_post: withSecret(secret()),
    private_key_jwt: {
      known: { jwks: { keys: [jwk] }, token_endpoint_auth_signing_alg: 'ES256' },
      handed: { privateKey: await exportPKCS8(keys.privateKey) },
    },
    ...(certificate === undefined
      ? {}
      : {
          tls_client_auth: {
            known: { tls_client_auth_subject_dn: `CN=${certificateName}` },
            handed: { certificate: certificate.cert, privateKey: certificate.key },
          },
        }),
    none: {},
  }
  return Object.fromEntries(
    Object.entries(rows).map(([method, { known, handed }]) => {
      const client_id = `demo-${method.replaceAll('_', '-')}`
      const metadata: ClientMetadata = {
        client_id,
        token_endpoint_auth_method: method as 'none',
        // A client that proves nothing has nothing of its own to be granted.
        grant_types: ['refresh_token', ...(method === 'none' ? [] : ['client_credentials'])],
        response_types: [],
        redirect_uris: [],
        id_token_signed_response_alg: 'ES256',
        ...known,
      }
      return [method, { metadata, credential: { clientId: client_id, ...handed } }]
    }),
  )
}

function withSecret(clientSecret: string) {
  return { known: { client_secret: clientSecret }, handed: { clientSecret } }
}
