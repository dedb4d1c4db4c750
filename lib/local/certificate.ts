import 'reflect-metadata'
import { createHash, type webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** ECDSA keys are made in under a millisecond; every client in use verifies P-256 with SHA-256. */
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
/** For what is to go into a PKCS #12 package: not every tool that reads one knows elliptic curves. */
const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
} as const
const DAY_MS = 86_400_000
/** A clock a little behind ours must not find the certificate "not yet valid". */
const BACKDATED_MS = DAY_MS
/** The longest life that public trust stores accept for a server certificate, and the one of KSC. */
const DEFAULT_VALID_DAYS = 397

/** A certificate with its private key, both PEM (PKCS #8 key). */
export interface IssuedCertificate {
  readonly key: string
  readonly cert: string
  /** SHA-256 over the DER form of `cert`, Base64: what stands behind `sha256/` in a pin. */
  readonly fingerprint: string
}

export interface LeafOptions {
  /** What the holder does in a handshake: a server names its hosts, a client its connector. */
  readonly usage: 'server' | 'client'
  readonly commonName: string
  readonly validDays?: number
  /** Host names of a server. @default loopback, by address and by name */
  readonly hosts?: readonly string[]
}

/** A certificate authority of its own, alive as long as the object that made it. */
export interface Authority {
  /** Its self-signed certificate, PEM: verifies everything it issues, alone. */
  readonly ca: string
  issue(options: LeafOptions): Promise<IssuedCertificate>
}

/**
 * Makes an authority. Its certificates pass OpenSSL's `-x509_strict`, which Python 3.13 applies by
 * default: critical basicConstraints and keyUsage on the CA, subject and authority key identifiers.
 *
 * @param now when it is made; valid from a day before, for 397 days by default
 * @see https://docs.python.org/3/library/ssl.html#ssl.VERIFY_X509_STRICT
 */
export async function createAuthority(
  commonName: string,
  now: Date,
  validDays = DEFAULT_VALID_DAYS,
): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    keys,
    signingAlgorithm: algorithm,
    ...validity(now, validDays),
    extensions: [
      // Path length 0: it issues leaves only.
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return {
    ca: pem(root),
    issue: (options) => issue(root, keys.privateKey, now, options),
  }
}

/**
 * Makes a certificate that only itself vouches for, as appliances bring one. RSA, 2048 bits. It passes
 * `-x509_strict` as its own authority.
 *
 * @param now when it is made; valid from a day before
 */
export async function createSelfSigned(
  { usage, commonName, validDays = DEFAULT_VALID_DAYS, hosts }: LeafOptions,
  now: Date,
): Promise<IssuedCertificate> {
  const keys = await crypto.subtle.generateKey(rsa, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    keys,
    signingAlgorithm: rsa,
    ...validity(now, validDays),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign,
        true,
      ),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[`${usage}Auth`]]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(usage === 'server' ? [namesOf(hosts)] : []),
    ],
  })
  return issued(certificate, keys.privateKey)
}

async function issue(
  root: x509.X509Certificate,
  signingKey: webcrypto.CryptoKey,
  now: Date,
  { usage, commonName, validDays = DEFAULT_VALID_DAYS, hosts }: LeafOptions,
): Promise<IssuedCertificate> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const leaf = await x509.X509CertificateGenerator.create({
    subject: `CN=${commonName}`,
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    ...validity(now, validDays),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[`${usage}Auth`]]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(root),
      ...(usage === 'server' ? [namesOf(hosts)] : []),
    ],
  })
  return issued(leaf, keys.privateKey)
}

async function issued(
  certificate: x509.X509Certificate,
  privateKey: webcrypto.CryptoKey,
): Promise<IssuedCertificate> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', privateKey)
  return {
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    cert: pem(certificate),
    fingerprint: createHash('sha256').update(new Uint8Array(certificate.rawData)).digest('base64'),
  }
}

/** Clients match an address against `IP:` names only, and a host name against `DNS:` names only. */
function namesOf(hosts: readonly string[] | undefined): x509.SubjectAlternativeNameExtension {
  const loopback = [
    { type: 'ip', value: '127.0.0.1' },
    { type: 'dns', value: 'localhost' },
  ] as const
  return new x509.SubjectAlternativeNameExtension(
    hosts === undefined ? [...loopback] : hosts.map((value) => ({ type: 'dns', value })),
  )
}

function validity(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: new Date(now.getTime() - BACKDATED_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
  }
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}
