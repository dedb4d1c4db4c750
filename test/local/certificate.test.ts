import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import * as x509 from '@peculiar/x509'
import { expect, onTestFinished, test } from 'vitest'
import { createAuthority } from '../../lib/local/certificate.ts'

const now = new Date()

test('a server certificate is verified by the printed CA alone, by address and by name', async () => {
  const authority = await createAuthority('test authority', now)
  const { key, cert, fingerprint } = await authority.issue({
    usage: 'server',
    commonName: 'server',
  })
  const server = createServer({ key, cert }, (_, response) => response.end('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo

  for (const host of ['127.0.0.1', 'localhost']) {
    const call = request({ host, port, ca: authority.ca, lookup: loopback, agent: false })
    call.end()
    const [response] = await once(call, 'response')
    const socket: TLSSocket = response.socket
    expect(socket.authorized).toBe(true)
    expect(socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '')).toBe(
      Buffer.from(fingerprint, 'base64').toString('hex').toUpperCase(),
    )
    response.resume()
  }
})

test('a client certificate opens a server that asks for one of the same authority', async () => {
  const authority = await createAuthority('test authority', now)
  const server = await authority.issue({ usage: 'server', commonName: 'server' })
  const client = await authority.issue({ usage: 'client', commonName: 'connector-1' })
  const listener = createServer(
    { key: server.key, cert: server.cert, ca: authority.ca, requestCert: true },
    (message, response) => {
      const socket = message.socket as TLSSocket
      response.end(`${socket.authorized} ${socket.getPeerCertificate().subject?.CN}`)
    },
  )
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  onTestFinished(() => void listener.close())
  const { port } = listener.address() as AddressInfo
  const { key, cert } = client
  const call = request({ host: '127.0.0.1', port, ca: authority.ca, key, cert, agent: false })
  call.end()
  const [response] = await once(call, 'response')
  const [body] = await once(response, 'data')
  expect(String(body)).toBe('true connector-1')
})

test('certificates carry what strict OpenSSL checks demand', async () => {
  const authority = await createAuthority('test authority', now)
  const { cert } = await authority.issue({ usage: 'server', commonName: 'server' })
  const ca = new x509.X509Certificate(authority.ca)
  const leaf = new x509.X509Certificate(cert)
  const usages = ca.getExtension(x509.KeyUsagesExtension)
  expect(ca.getExtension(x509.BasicConstraintsExtension)).toMatchObject({
    ca: true,
    critical: true,
  })
  expect((usages?.usages ?? 0) & x509.KeyUsageFlags.keyCertSign).toBe(
    x509.KeyUsageFlags.keyCertSign,
  )
  expect(usages?.critical).toBe(true)
  const keyId = ca.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId
  expect(keyId).toMatch(/^[0-9a-f]{40}$/)
  expect(leaf.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId).toBe(keyId)
  expect(leaf.getExtension(x509.BasicConstraintsExtension)?.ca).toBe(false)
})

test('a certificate is valid from the day before, for 397 days or as many as asked', async () => {
  const made = new Date('2026-01-02T00:00:00Z')
  const authority = await createAuthority('test authority', made)
  const common = { usage: 'server', commonName: 'server' } as const
  const usual = new X509Certificate((await authority.issue(common)).cert)
  const short = new X509Certificate((await authority.issue({ ...common, validDays: 20 })).cert)
  expect(new Date(usual.validFrom)).toEqual(new Date('2026-01-01T00:00:00Z'))
  expect(new Date(usual.validTo)).toEqual(new Date('2027-02-03T00:00:00Z'))
  expect(new Date(short.validTo)).toEqual(new Date('2026-01-22T00:00:00Z'))
})

/** The name in question is the one in the certificate, not what this machine resolves it to. */
function loopback(
  _host: string,
  _options: object,
  done: (
    error: null,
    address: string | { address: string; family: number }[],
    family?: number,
  ) => void,
): void {
  done(null, [{ address: '127.0.0.1', family: 4 }])
}
