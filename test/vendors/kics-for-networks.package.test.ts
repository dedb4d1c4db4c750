import { createPrivateKey, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { kicsForNetworks } from '../../lib/vendors/kics-for-networks.ts'
import * as packages from './kics-for-networks.packages.ts'

const prepare = (fields: Record<string, unknown>) => {
  if (kicsForNetworks.prepare === undefined) return expect.fail('nothing is prepared')
  return kicsForNetworks.prepare(fields)
}

const subjectOf = (pem: unknown) => new X509Certificate(String(pem)).subject

test.each([
  ['RC2 and 3DES, with an RSA key', packages.legacyRsa, 'made-up', 'CN=connector-2', 'rsa'],
  ['3DES, with a key on a curve', packages.tripleDes, 'made-up', 'CN=connector-1', 'ec'],
  ['AES', packages.modern, 'made-up', 'CN=connector-1', 'ec'],
  [
    'AES, with a password beyond ASCII',
    packages.modernUmlauts,
    'geheim-äß',
    'CN=connector-1',
    'ec',
  ],
  [
    'RC2 and 3DES, with a password beyond ASCII',
    packages.legacyUmlauts,
    'geheim-äß',
    'CN=connector-1',
    'ec',
  ],
])('a package of %s becomes PEM text', async (_, pfx, pfxPassword, subject, type) => {
  const stored = await prepare({ pfx, pfxPassword, refreshToken: 'made-up' })
  expect(Object.keys(stored).toSorted()).toEqual([
    'certificate',
    'privateKey',
    'refreshToken',
    'serverCertificate',
  ])
  const certificate = new X509Certificate(String(stored.certificate))
  const key = createPrivateKey(String(stored.privateKey))
  expect(certificate.subject).toBe(subject)
  expect(key.asymmetricKeyType).toBe(type)
  expect(certificate.checkPrivateKey(key)).toBe(true)
  // Not a byte has changed on the way: the signature still holds.
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  expect(subjectOf(stored.serverCertificate)).toBe('CN=kics-server')
  expect(() => kicsForNetworks.tlsMaterial?.(stored)).not.toThrow()
})

test('a server certificate that was given wins over the one in the package', async () => {
  const { certificate } = await prepare({ pfx: packages.modern, pfxPassword: 'made-up' })
  const stored = await prepare({
    pfx: packages.legacyRsa,
    pfxPassword: 'made-up',
    serverCertificate: certificate,
  })
  expect(subjectOf(stored.serverCertificate)).toBe('CN=connector-1')
})

test('PEM text is stored as it is', async () => {
  const fields = { certificate: 'pem', privateKey: 'pem' }
  expect(await prepare(fields)).toEqual(fields)
})

test.each([
  [{ pfx: packages.modern, pfxPassword: 'wrong-4711' }, 'pfxPassword: does not open the package'],
  [
    { pfx: packages.legacyRsa, pfxPassword: 'wrong-4711' },
    'pfxPassword: does not open the package',
  ],
  [{ pfx: packages.modern }, 'pfxPassword: does not open the package'],
  [{ pfx: packages.modern, pfxPassword: 1 }, 'pfxPassword: has the wrong shape; allowed is text'],
  [{ pfx: 1 }, 'pfx: has the wrong shape; allowed is the Base64 of certificates.pfx'],
  [{ pfx: 'C:\\certificates.pfx' }, 'pfx: is not Base64; allowed is'],
  [{ pfx: 'aGVsbG8=' }, 'pfx: is not a PKCS #12 package; allowed is'],
  [{ pfx: 'MAA=' }, 'pfx: cannot be read (Cannot read PKCS#12 PFX'],
  [
    { pfx: packages.rc4, pfxPassword: 'made-up' },
    'pfx: cannot be read (Cannot read encrypted PBE data block. Unsupported OID); allowed are PKCS #12 packages of RC2, 3DES or AES; convert others with: openssl pkcs12 -legacy',
  ],
  [
    { pfx: packages.withoutKey, pfxPassword: 'made-up' },
    'pfx: holds no private key with its certificate (found 0 keys and 2 certificates)',
  ],
  [
    { pfx: packages.modern, pfxPassword: 'made-up', certificate: 'pem' },
    'certificate: stands beside pfx, which holds it too; allowed is one of the two',
  ],
  [
    { pfx: packages.modern, pfxPassword: 'made-up', privateKey: 'pem' },
    'privateKey: stands beside pfx',
  ],
])('an operator is told what is wrong with a package: case %#', async (fields, message) => {
  const error = await prepare(fields).then(
    () => expect.fail('it was prepared'),
    (thrown: Error) => thrown,
  )
  expect(error).toMatchObject({ code: 'ERR_CONFIG' })
  expect(error.message).toContain(message)
  expect(error.message).not.toContain('4711')
})
