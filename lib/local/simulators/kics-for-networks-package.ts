import { X509Certificate } from 'node:crypto'
import forge from 'node-forge'
import { createSelfSigned, type IssuedCertificate } from '../certificate.ts'
import type { Credential } from './simulator.ts'

/** What a connector proves itself with. */
export interface ConnectorPackage {
  /** DER, as a handshake shows it. */
  readonly certificate: Buffer
  /** PEM. */
  readonly trusted: string
  /** What the console hands out: a package with its password, and the same as PEM text. */
  readonly credential: Credential
}

/**
 * Makes a communication data package: the connector's certificate with its key, and the Server's
 * certificate, in 3DES, which every tool opens.
 *
 * @see https://support.kaspersky.com/kics-for-networks/4.1/155166
 */
export async function createPackage(
  server: IssuedCertificate,
  password: string,
): Promise<ConnectorPackage> {
  // Peers check certificates with their own clocks, so never with a simulated one.
  const own = await createSelfSigned({ usage: 'client', commonName: 'connector' }, new Date())
  const { privateKeyFromPem, certificateFromPem } = forge.pki
  const pfx = forge.pkcs12.toPkcs12Asn1(
    privateKeyFromPem(own.key),
    [certificateFromPem(own.cert), certificateFromPem(server.cert)],
    password,
    { algorithm: '3des' },
  )
  return {
    certificate: new X509Certificate(own.cert).raw,
    trusted: own.cert,
    credential: {
      certificate: own.cert,
      privateKey: own.key,
      serverCertificate: server.cert,
      pfx: Buffer.from(forge.asn1.toDer(pfx).getBytes(), 'latin1').toString('base64'),
      pfxPassword: password,
    },
  }
}
