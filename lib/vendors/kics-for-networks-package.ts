import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import forge from 'node-forge'
import { ConfigError } from '../core/errors.ts'
import type { Credential } from '../core/vendor.ts'

// In a file of its own, loaded at enrollment only: a function never opens a package, and need not load
// the library that does. That library decrypts by itself, so packages of RC2 and 3DES, which OpenSSL 3
// takes only with its legacy provider, open on every machine.

/** Where a package comes from, for a message. */
const allowed = 'allowed is the Base64 of certificates.pfx from the communication data package'

/**
 * Turns a communication data package's `certificates.pfx` into what is stored: the connector's key and
 * certificate, and the Server's certificate. Fields that are PEM already pass as they are; an enrolled
 * `serverCertificate` wins over the package's.
 *
 * @throws {ConfigError} not a package, a wrong password, ciphers that cannot be read, no key in it
 * @see https://support.kaspersky.com/kics-for-networks/4.1/155166 what a package holds
 */
export function convert(fields: Credential): Credential {
  const { pfx, pfxPassword = '', ...others } = fields
  if (pfx === undefined) return fields
  const surplus = ['certificate', 'privateKey'].find((field) => field in others)
  if (surplus !== undefined) {
    throw new ConfigError(
      surplus,
      'stands beside pfx, which holds it too; allowed is one of the two',
    )
  }
  if (typeof pfx !== 'string') throw new ConfigError('pfx', `has the wrong shape; ${allowed}`)
  if (typeof pfxPassword !== 'string') {
    throw new ConfigError('pfxPassword', 'has the wrong shape; allowed is text')
  }
  return { ...open(decodeBase64(pfx), pfxPassword), ...others }
}

/** What is in a package, as PEM text. */
function open(der: Buffer, password: string): Credential {
  const bags = decrypt(der, password).safeContents.flatMap(({ safeBags }) => safeBags)
  const keys = bags.flatMap(keyIn)
  const certificates = bags.flatMap(certificateIn)
  for (const key of keys) {
    const own = certificates.find((certificate) => certificate.checkPrivateKey(key))
    if (own === undefined) continue
    const others = certificates.filter((certificate) => !certificate.raw.equals(own.raw))
    return {
      privateKey: key.export({ type: 'pkcs8', format: 'pem' }),
      certificate: own.toString(),
      ...(others.length === 0 ? {} : { serverCertificate: others.map(String).join('') }),
    }
  }
  const found = `${keys.length} keys and ${certificates.length} certificates`
  throw new ConfigError(
    'pfx',
    `holds no private key with its certificate (found ${found}); ${allowed}`,
  )
}

function decodeBase64(text: string): Buffer {
  const packed = text.replaceAll(/\s/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) {
    throw new ConfigError(
      'pfx',
      `is not Base64; ${allowed}, as base64 -w0 certificates.pfx gives it`,
    )
  }
  return Buffer.from(packed, 'base64')
}

function decrypt(der: Buffer, password: string): forge.pkcs12.Pkcs12Pfx {
  let asn1: forge.asn1.Asn1
  try {
    asn1 = forge.asn1.fromDer(der.toString('latin1'))
  } catch {
    throw new ConfigError('pfx', `is not a PKCS #12 package; ${allowed}`)
  }
  try {
    return forge.pkcs12.pkcs12FromAsn1(asn1, false, password)
  } catch (error) {
    const reason = messageOf(error)
    if (/invalid password/i.test(reason)) {
      throw new ConfigError(
        'pfxPassword',
        'does not open the package; it was chosen when the connector was added, or its package made anew',
      )
    }
    if (!/decrypt/i.test(reason) || isAscii(password)) throw unreadable(reason)
  }
  return decryptUtf8(asn1, password)
}

/**
 * The checksum has just been proven with the password in UTF-16 (RFC 7292, appendix B.1), yet PBES2
 * wants it in UTF-8: one call of the library knows one form only, so the checksum is left out here.
 */
function decryptUtf8(asn1: forge.asn1.Asn1, password: string): forge.pkcs12.Pkcs12Pfx {
  const parts = Array.isArray(asn1.value) ? asn1.value.slice(0, 2) : []
  const unsealed = forge.asn1.create(asn1.tagClass, asn1.type, asn1.constructed, parts)
  try {
    const bytes = Buffer.from(password, 'utf8').toString('latin1')
    return forge.pkcs12.pkcs12FromAsn1(unsealed, false, bytes)
  } catch (error) {
    throw unreadable(messageOf(error))
  }
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

function unreadable(reason: string): ConfigError {
  const detail = /^[\w #.,-]{1,80}$/.test(reason) ? ` (${reason.replace(/\.$/, '')})` : ''
  return new ConfigError(
    'pfx',
    `cannot be read${detail}; allowed are PKCS #12 packages of RC2, 3DES or AES; convert others with: openssl pkcs12 -legacy -in certificates.pfx -nodes, and enroll certificate, privateKey and serverCertificate`,
  )
}

function keyIn(bag: forge.pkcs12.Bag): KeyObject[] {
  const { keyBag, pkcs8ShroudedKeyBag } = forge.pki.oids
  if (bag.type !== keyBag && bag.type !== pkcs8ShroudedKeyBag) return []
  // The library parses RSA keys only; any other kind it leaves as it stands.
  const info = bag.key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(bag.key)) : bag.asn1
  return [createPrivateKey({ key: derOf(info), format: 'der', type: 'pkcs8' })]
}

function certificateIn(bag: forge.pkcs12.Bag): X509Certificate[] {
  if (bag.type !== forge.pki.oids.certBag) return []
  const asn1 = bag.cert ? forge.pki.certificateToAsn1(bag.cert) : bag.asn1
  return [new X509Certificate(derOf(asn1))]
}

function derOf(asn1: forge.asn1.Asn1): Buffer {
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1')
}
