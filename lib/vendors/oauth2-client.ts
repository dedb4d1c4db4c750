import { createPrivateKey, type KeyObject, randomUUID, X509Certificate } from 'node:crypto'
import { SignJWT } from 'jose'
import {
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  None,
  TlsClientAuth,
} from 'oauth4webapi'
import * as v from 'valibot'
import { ConfigError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import { later } from '../core/renewal.ts'
import type { Credential, TlsMaterial } from '../core/vendor.ts'
import { keyKinds, type Settings } from './oauth2-options.ts'

/** An assertion lives this long by the server's clock, in seconds. */
const assertionSeconds = 120

// The server's clock is known to about a call's length; an assertion "from the future" is refused.
const backdatedSeconds = 15

const Text = v.optional(v.pipe(v.string('allowed is text'), v.nonEmpty('allowed is text')))
const Enrolled = v.object({
  clientId: Text,
  clientSecret: Text,
  privateKey: Text,
  certificate: Text,
})

/** The client as its server knows it. */
export interface Client {
  readonly clientId: string
  /** The enrolled field that a refused authentication puts in question. */
  readonly provenBy: 'clientSecret' | 'privateKey' | 'certificate' | 'clientId'
  /** Dresses a request, given the server's time. */
  readonly authentication: (serverNow: Date) => ClientAuth
  /** End of the client certificate, where one is shown. */
  readonly certificateEnd?: Date
}

/** @throws {ConfigError} a field that is missing or of the wrong shape, by name */
export function clientOf(settings: Settings, credential: Credential): Client {
  const enrolled = decode(credential)
  const clientId = settings.clientId ?? enrolled.clientId
  if (clientId === undefined) {
    throw new ConfigError('clientId', 'is neither configured nor enrolled')
  }
  if (enrolled.clientId !== undefined && enrolled.clientId !== clientId) {
    throw new ConfigError('clientId', 'differs between configuration and enrollment secret')
  }
  const { clientAuthentication } = settings
  const required = (field: 'clientSecret' | 'privateKey' | 'certificate'): string => {
    const value = enrolled[field]
    if (value !== undefined) return value
    throw new ConfigError(field, `is not enrolled; ${clientAuthentication} needs it`)
  }
  switch (clientAuthentication) {
    case 'client_secret_basic': {
      const secret = required('clientSecret')
      return { clientId, provenBy: 'clientSecret', authentication: () => ClientSecretBasic(secret) }
    }
    case 'client_secret_post': {
      const secret = required('clientSecret')
      return { clientId, provenBy: 'clientSecret', authentication: () => ClientSecretPost(secret) }
    }
    case 'private_key_jwt': {
      const key = signingKey(required('privateKey'), settings)
      const authentication = (serverNow: Date) => signedAssertion(key, settings, serverNow)
      return { clientId, provenBy: 'privateKey', authentication }
    }
    case 'tls_client_auth': {
      required('privateKey')
      const certificateEnd = new Date(parseCertificate(required('certificate')).validTo)
      return { clientId, provenBy: 'certificate', authentication: TlsClientAuth, certificateEnd }
    }
    case 'none':
      return { clientId, provenBy: 'clientId', authentication: None }
  }
}

/**
 * The client certificate of `tls_client_auth`, if one is enrolled.
 *
 * @throws {ConfigError} not PEM, or not of one pair
 */
export function clientCertificate(credential: Credential): TlsMaterial {
  const { certificate, privateKey } = decode(credential)
  if (certificate === undefined) return {}
  if (privateKey === undefined) {
    throw new ConfigError('privateKey', 'is not enrolled; the certificate is of no use without it')
  }
  if (!parseCertificate(certificate).checkPrivateKey(parsePrivateKey(privateKey))) {
    throw new ConfigError('privateKey', 'is not the key of the enrolled certificate')
  }
  return { clientCertificate: { certificate, privateKey: new Redacted(privateKey) } }
}

function decode(credential: Credential): v.InferOutput<typeof Enrolled> {
  const enrolled = v.safeParse(Enrolled, credential)
  if (enrolled.success) return enrolled.output
  const field = v.getDotPath(enrolled.issues[0]) ?? 'credential'
  throw new ConfigError(field, 'has the wrong shape; allowed is text')
}

/**
 * RFC 7523, section 3. Dated by the server's clock, so that no difference of clocks matters; the
 * audience is the issuer, or the token endpoint where no issuer is known.
 */
function signedAssertion(key: KeyObject, settings: Settings, serverNow: Date): ClientAuth {
  const { privateKeyAlgorithm: alg, keyId: kid } = settings
  return async (server, client, body) => {
    const assertion = await new SignJWT()
      .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
      .setIssuer(client.client_id)
      .setSubject(client.client_id)
      .setAudience(server.issuer)
      .setJti(randomUUID())
      .setIssuedAt(later(serverNow, -backdatedSeconds))
      .setExpirationTime(later(serverNow, assertionSeconds))
      .sign(key)
    body.set('client_id', client.client_id)
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    body.set('client_assertion', assertion)
  }
}

function signingKey(pem: string, { privateKeyAlgorithm }: Settings): KeyObject {
  const key = parsePrivateKey(pem)
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType
  const wanted = keyKinds[privateKeyAlgorithm]
  if (kind === wanted) return key
  throw new ConfigError(
    'privateKey',
    `is of kind ${kind}; privateKeyAlgorithm ${privateKeyAlgorithm} takes ${wanted}`,
  )
}

function parsePrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new ConfigError('privateKey', 'is not a key; allowed is unencrypted PEM (PKCS #8)')
  }
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new ConfigError('certificate', 'is not a certificate; allowed is PEM, its chain after it')
  }
}
