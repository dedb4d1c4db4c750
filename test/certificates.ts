import 'reflect-metadata'
import { createHash, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A server's self-signed certificate, as a device ships with it. */
export interface SelfSigned {
  readonly key: string
  /** PEM; as it signs itself, it is its own authority. */
  readonly cert: string
  readonly pins: { readonly certificate: string; readonly publicKey: string }
}

export async function selfSigned(dnsName: string): Promise<SelfSigned> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${dnsName}`,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date('2025-01-01T00:00:00Z'),
    notAfter: new Date('2090-01-01T00:00:00Z'),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }])],
  })
  const cert = made.toString('pem')
  const parsed = new X509Certificate(cert)
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    cert,
    pins: {
      certificate: pin(parsed.raw),
      publicKey: pin(parsed.publicKey.export({ type: 'spki', format: 'der' })),
    },
  }
}

function pin(der: Uint8Array): string {
  return `sha256/${createHash('sha256').update(der).digest('base64')}`
}
