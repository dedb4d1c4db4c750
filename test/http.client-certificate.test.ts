import { once } from 'node:events'
import { createServer, type ServerOptions } from 'node:https'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { TransportError } from '../lib/core/errors.ts'
import { Redacted } from '../lib/core/redacted.ts'
import { createHttp, type Transport, transport } from '../lib/http.ts'
import {
  type Authority,
  createAuthority,
  createSelfSigned,
  type IssuedCertificate,
} from '../lib/local/certificate.ts'
import { guardHandshake } from '../lib/local/simulators/handshake-guard.ts'

let authority: Authority
let clients: Authority
let server: IssuedCertificate
let known: IssuedCertificate
let stranger: IssuedCertificate

beforeAll(async () => {
  const now = new Date()
  authority = await createAuthority('servers', now)
  clients = await createAuthority('clients', now)
  server = await authority.issue({ usage: 'server', commonName: 'server' })
  known = await clients.issue({ usage: 'client', commonName: 'known' })
  const others = await createAuthority('others', now)
  stranger = await others.issue({ usage: 'client', commonName: 'stranger' })
})

/** Listens with the given TLS; the handler may end the connection instead of answering. */
async function listen(tls: ServerOptions, isAnswered = true): Promise<string> {
  const listening = createServer(tls, (request, response) => {
    if (isAnswered) response.end('{}')
    else request.socket.destroy()
  })
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  onTestFinished(() => void listening.close())
  return `https://127.0.0.1:${(listening.address() as AddressInfo).port}/`
}

const mutual = (): ServerOptions => ({
  key: server.key,
  cert: server.cert,
  ca: clients.ca,
  requestCert: true,
  rejectUnauthorized: true,
})

const showing = ({ cert, key }: IssuedCertificate): Transport => ({
  ca: authority.ca,
  clientCertificate: { certificate: cert, privateKey: new Redacted(key) },
})

async function post(url: string, tls: Transport) {
  const http = createHttp(tls)
  onTestFinished(() => http.close())
  return http.request({ name: 'grant', method: 'POST', url, timeoutSeconds: 5 })
}

const failure = (url: string, tls: Transport): Promise<TransportError> =>
  post(url, tls).then(
    () => expect.fail('an answer came'),
    (error: TransportError) => error,
  )

test('a client certificate that the server knows gets an answer', async () => {
  const answer = await post(await listen(mutual()), showing(known))
  expect(answer.status).toBe(200)
})

test('in TLS 1.3 the alert to a missing certificate comes after the request, and still nothing was processed', async () => {
  const error = await failure(await listen(mutual()), { ca: authority.ca })
  expect(error).toMatchObject({ code: 'ERR_TRANSPORT', sent: 'no', refused: 'client-certificate' })
  expect(error.message).toMatch(
    /^grant at 127\.0\.0\.1:\d+ refused the client certificate by a TLS alert \(certificate_required\)$/,
  )
})

test('in TLS 1.2 the alert to a strange certificate ends the handshake, and is told as such', async () => {
  const inner = createServer({ ...mutual(), rejectUnauthorized: false, maxVersion: 'TLSv1.2' })
  const front = createNetServer((socket) => {
    inner.emit(
      'connection',
      guardHandshake(socket, () => false),
    )
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  onTestFinished(() => void front.close())
  const { port } = front.address() as AddressInfo
  const error = await failure(`https://127.0.0.1:${port}/`, showing(stranger))
  expect(error).toMatchObject({ sent: 'no', refused: 'client-certificate' })
  expect(error.message).toContain('TLS alert (certificate_unknown)')
})

test('in TLS 1.2 a missing certificate is an alert that may mean other things as well', async () => {
  const url = await listen({ ...mutual(), maxVersion: 'TLSv1.2' })
  const error = await failure(url, { ca: authority.ca })
  expect(error).toMatchObject({ sent: 'no' })
  expect(error.refused).toBeUndefined()
  expect(error.message).toContain('it may want a client certificate, or other ciphers')
})

test('a connection that is dropped without an alert may have been a request processed', async () => {
  const dropsStrangers = await failure(await listen(mutual()), showing(stranger))
  const dropsRequests = await failure(await listen(mutual(), false), showing(known))
  for (const error of [dropsStrangers, dropsRequests]) {
    expect(error).toMatchObject({ code: 'ERR_TRANSPORT', sent: 'maybe' })
    expect(error.refused).toBeUndefined()
  }
})

test('a server that does not listen is unreachable, which no certificate is to blame for', async () => {
  const closed = createNetServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  const error = await failure(`https://127.0.0.1:${port}/`, showing(known))
  expect(error).toMatchObject({ sent: 'no' })
  expect(error.message).toMatch(/^could not reach grant at .*: the connection was refused/)
})

test('a certificate that is trusted by itself is enough, though its authority is unknown', async () => {
  const url = await listen({ key: server.key, cert: server.cert })
  const sibling = await authority.issue({ usage: 'server', commonName: 'sibling' })
  expect((await post(url, { ca: server.cert })).status).toBe(200)
  const error = await failure(url, { ca: sibling.cert })
  expect(error).toMatchObject({ sent: 'no' })
})

test('an enrolled server certificate that does not name the address wants a server name or a pin', async () => {
  const { key, cert, fingerprint } = await createSelfSigned(
    { usage: 'server', commonName: 'appliance', hosts: ['appliance.example'] },
    new Date(),
  )
  const url = await listen({ key, cert })
  const enrolled = { ca: cert }
  const error = await failure(url, transport(undefined, enrolled))
  expect(error.message).toMatch(
    /the certificate names another host; configure tls.serverName or tls.pins$/,
  )
  expect((await post(url, transport({ serverName: 'appliance.example' }, enrolled))).status).toBe(
    200,
  )
  const pinned = transport({ pins: [`sha256/${fingerprint}`] }, enrolled)
  expect((await post(url, pinned)).status).toBe(200)
  const otherPin = transport({ pins: [`sha256/${'A'.repeat(43)}=`] }, enrolled)
  expect((await failure(url, otherPin)).message).toContain('matches none of the configured pins')
})

test('a configured authority replaces the enrolled one, and neither touches the client certificate', () => {
  const { clientCertificate } = showing(known)
  const material = { ca: 'enrolled', ...(clientCertificate && { clientCertificate }) }
  expect(transport({ ca: 'configured' }, material)).toEqual({
    ca: 'configured',
    clientCertificate,
  })
  expect(transport(undefined, material)).toEqual({ ca: 'enrolled', clientCertificate })
})
