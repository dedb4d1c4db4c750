import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net'
import tls, { type TLSSocket, type TlsOptions } from 'node:tls'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ResponseError, TransportError } from '../lib/core/errors.ts'
import { Redacted } from '../lib/core/redacted.ts'
import type { HttpRequest } from '../lib/core/vendor.ts'
import { bodyLimitBytes, createHttp, type Transport } from '../lib/http.ts'
import { createAuthority, type IssuedCertificate } from '../lib/local/certificate.ts'
import { type SelfSigned, selfSigned } from './certificates.ts'

const canary = {
  path: 'canary-path-5b1d0c',
  query: 'canary-query-77aa01',
  header: 'canary-header-0e9f42',
  body: 'canary-body-c3d2e1',
  answer: 'canary-answer-91b7fa',
}

let ca: string
let issued: IssuedCertificate
let device: SelfSigned
let other: SelfSigned
beforeAll(async () => {
  const authority = await createAuthority('an authority of the test', new Date())
  ca = authority.ca
  issued = await authority.issue({ usage: 'server', commonName: 'server' })
  ;[device, other] = await Promise.all([selfSigned('device.example'), selfSigned('other.example')])
})

/** Puts a server on a free port of loopback, gone with the test with all its connections. */
async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  server.listen(0, host)
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function plain(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`
}

const hello: RequestListener = (_request, response) => {
  response.setHeader('content-type', 'application/json').end('{"hello":"world"}')
}

async function secure(options: TlsOptions, listener = hello): Promise<number> {
  const server = createHttpsServer(options, listener)
  server.on('tlsClientError', () => undefined)
  return listen(server)
}

/** What stands in every request is secret, but for the host and the name of the call. */
function request(origin: string, more: Partial<HttpRequest> = {}) {
  return {
    name: 'the call',
    method: 'POST' as const,
    url: `${origin}/v1/${canary.path}/token?refresh_token=${canary.query}`,
    headers: { authorization: `Bearer ${canary.header}` },
    json: { refresh_token: canary.body },
    timeoutSeconds: 5,
    ...more,
  }
}

function send(origin: string, transport?: Transport, more?: Partial<HttpRequest>) {
  const http = createHttp(transport)
  onTestFinished(() => http.close())
  return http.request(request(origin, more))
}

/** Everything that a log could make of an error, its causes included. */
function prints(error: unknown): string {
  const { message, stack } = error as Error
  return [
    message,
    stack,
    JSON.stringify(error),
    inspect(error, { depth: 10, showHidden: true }),
  ].join()
}

/** The failure of a call, which must be one of the two errors and show nothing. */
async function failure(call: Promise<unknown>): Promise<TransportError | ResponseError> {
  const error = await call.then(
    () => expect.unreachable('an answer came'),
    (thrown: unknown) => thrown,
  )
  for (const secret of Object.values(canary)) expect(prints(error)).not.toContain(secret)
  if (error instanceof TransportError || error instanceof ResponseError) return error
  throw error
}

describe('an answer', () => {
  test('comes whole: status, lower-case headers, text and JSON', async () => {
    const origin = await plain((_request, response) => {
      response.writeHead(418, { 'Content-Type': 'application/json', 'X-Two': ['a', 'b'] })
      response.end('{"count":3}')
    })
    expect(await send(origin)).toMatchObject({
      status: 418,
      contentType: 'application/json',
      headers: { 'x-two': 'a, b' },
      text: '{"count":3}',
      json: { count: 3 },
    })
  })

  test.each([
    ['an HTML page', 'text/html', '<!doctype html><title>Sign in</title>'],
    ['nothing', 'application/json', ''],
    ['half a JSON text', 'application/json', '{"access_token":"a'],
  ])('that is %s has no JSON', async (_what, type, body) => {
    const origin = await plain((_request, response) => {
      response.setHeader('content-type', type).end(body)
    })
    expect(await send(origin)).toMatchObject({ status: 200, text: body, json: undefined })
  })

  test('that redirects is not followed: the other server sees no request', async () => {
    let seen = 0
    const elsewhere = await plain((_request, response) => {
      seen += 1
      response.end()
    })
    const origin = await plain((_request, response) => {
      response.writeHead(307, { location: `${elsewhere}/v1/token` }).end()
    })
    expect(await send(origin)).toMatchObject({ status: 307 })
    expect(seen).toBe(0)
  })

  test('over TLS tells when the certificate ends', async () => {
    const port = await secure({ key: device.key, cert: device.cert })
    const answer = await send(`https://127.0.0.1:${port}`, { pins: [device.pins.certificate] })
    expect(answer.peerNotAfter).toEqual(new Date('2090-01-01T00:00:00Z'))
  })

  test('of the largest size allowed is read', async () => {
    const origin = await plain((_request, response) => {
      response.end('x'.repeat(bodyLimitBytes))
    })
    expect((await send(origin)).text).toHaveLength(1_048_576)
  })
})

describe('a request', () => {
  test.each([
    [{ json: { b: 1, a: 'ü' } }, 'application/json', '{"b":1,"a":"ü"}'],
    [
      { form: { grant_type: 'x', token: 'a+b&c' } },
      'application/x-www-form-urlencoded',
      'grant_type=x&token=a%2Bb%26c',
    ],
    [{ body: 'as it is' }, undefined, 'as it is'],
    [{}, undefined, ''],
  ])('with %j carries exactly that', async (content, type, bytes) => {
    const seen: { line?: string; headers?: NodeJS.Dict<string | string[]>; body: string } = {
      body: '',
    }
    const origin = await plain((message, response) => {
      seen.line = `${message.method} ${message.url}`
      seen.headers = message.headers
      message.on('data', (chunk) => {
        seen.body += String(chunk)
      })
      message.on('end', () => response.end())
    })
    const http = createHttp()
    onTestFinished(() => http.close())
    await http.request({
      name: 'the call',
      method: 'POST',
      url: `${origin}/a/b?c=d%2Fe`,
      timeoutSeconds: 5,
      ...content,
    })
    expect(seen.line).toBe('POST /a/b?c=d%2Fe')
    expect(seen.body).toBe(bytes)
    expect(seen.headers?.['content-type']).toBe(type)
    expect(seen.headers).toMatchObject({
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'token-rotator',
    })
    expect(seen.headers).not.toHaveProperty('authorization')
  })

  test('uses the connection of the one before', async () => {
    const sockets = new Set<Socket>()
    const origin = await plain((message, response) => {
      sockets.add(message.socket)
      response.end()
    })
    const http = createHttp()
    onTestFinished(() => http.close())
    for (let n = 0; n < 3; n++) await http.request(request(origin))
    expect(sockets.size).toBe(1)
  })
})

describe('a request that certainly never left', () => {
  async function neverSent(call: Promise<unknown>, message: RegExp) {
    const error = await failure(call)
    expect(error).toBeInstanceOf(TransportError)
    expect(error).toMatchObject({ code: 'ERR_TRANSPORT', sent: 'no' })
    expect(error.message).toMatch(/^could not reach the call at /)
    expect(error.message).toMatch(message)
  }
  const closedPort = async () => {
    const server = createTcpServer()
    const port = await listen(server)
    server.close()
    await once(server, 'close')
    return port
  }

  test('was refused', async () => {
    await neverSent(send(`http://127.0.0.1:${await closedPort()}`), /connection was refused/)
  })

  test('was for an unknown host name', async () => {
    await neverSent(send('https://nothing.invalid'), /nothing\.invalid: .*(ENOTFOUND|EAI_AGAIN)/)
  })

  test('met a certificate of an unknown authority', async () => {
    const port = await secure({ key: issued.key, cert: issued.cert })
    await neverSent(send(`https://127.0.0.1:${port}`), /unknown authority; configure tls\.ca/)
  })

  test('met a self-signed certificate', async () => {
    const port = await secure({ key: device.key, cert: device.cert })
    await neverSent(
      send(`https://127.0.0.1:${port}`),
      /self-signed; configure tls\.ca or tls\.pins/,
    )
  })

  test('met a certificate for another host', async () => {
    const port = await secure({ key: device.key, cert: device.cert })
    const call = send(`https://localhost:${port}`, { ca: device.cert })
    await neverSent(call, /names another host; configure tls\.serverName/)
  })

  test('met a certificate that no pin matches', async () => {
    const port = await secure({ key: device.key, cert: device.cert })
    const call = send(`https://127.0.0.1:${port}`, { pins: [other.pins.certificate] })
    await neverSent(call, /matches none of the configured pins/)
  })

  test('met a pinned certificate that the configured authority did not issue', async () => {
    const port = await secure({ key: device.key, cert: device.cert })
    const pins = [device.pins.certificate]
    await neverSent(
      send(`https://127.0.0.1:${port}`, { pins, ca, serverName: 'device.example' }),
      /self-signed/,
    )
  })

  test('met a certificate of the configured authority that no pin matches', async () => {
    const port = await secure({ key: issued.key, cert: issued.cert })
    const call = send(`https://127.0.0.1:${port}`, { ca, pins: [other.pins.publicKey] })
    await neverSent(call, /matches none of the configured pins/)
  })

  test('met a server that hangs up during the handshake', async () => {
    const port = await listen(createTcpServer((socket) => void socket.destroy()))
    await neverSent(send(`https://127.0.0.1:${port}`), /reset|closed/)
  })

  test('met a server that speaks TLS 1.1 at most', async () => {
    const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls
    // As under --tls-min-v1.0: what is refused below is refused by us, not by the default.
    tls.DEFAULT_MIN_VERSION = 'TLSv1'
    tls.DEFAULT_CIPHERS = 'DEFAULT@SECLEVEL=0'
    onTestFinished(() => {
      Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS })
    })
    const options = { key: issued.key, cert: issued.cert, maxVersion: 'TLSv1.1' as const }
    await neverSent(send(`https://127.0.0.1:${await secure(options)}`, { ca }), /TLS|SSL|EPROTO/)
  })

  test('came after one that was answered, when the server had gone', async () => {
    const server = createServer((_request, response) => {
      response.setHeader('connection', 'close').end()
    })
    const port = await listen(server)
    const http = createHttp()
    onTestFinished(() => http.close())
    await http.request(request(`http://127.0.0.1:${port}`))
    server.close()
    await once(server, 'close')
    await neverSent(http.request(request(`http://127.0.0.1:${port}`)), /connection was refused/)
  })
})

describe('a request that may have arrived', () => {
  async function maybeSent(call: Promise<unknown>, message: RegExp) {
    const error = await failure(call)
    expect(error).toBeInstanceOf(TransportError)
    expect(error).toMatchObject({ code: 'ERR_TRANSPORT', sent: 'maybe' })
    expect(error.message).toMatch(/^no answer from the call at 127\.0\.0\.1:\d+: /)
    expect(error.message).toMatch(message)
  }
  /** A server that reads the request and then does this with the connection. */
  const onceRead = async (act: (socket: Socket) => void) =>
    `http://127.0.0.1:${await listen(
      createTcpServer((socket) => {
        let read = ''
        socket.on('data', (chunk) => {
          read += String(chunk)
          if (read.includes(canary.body)) act(socket)
        })
      }),
    )}`

  test('found the connection closed as soon as it stood', async () => {
    const port = await listen(createTcpServer((socket) => void socket.destroy()))
    await maybeSent(send(`http://127.0.0.1:${port}`), /reset|closed/)
  })

  test('was not answered before the connection closed', async () => {
    await maybeSent(send(await onceRead((socket) => void socket.destroy())), /closed|reset/)
  })

  test('was answered by half a head', async () => {
    const half = (socket: Socket) => void socket.end(`HTTP/1.1 200 OK\r\nX-Half: ${canary.answer}`)
    await maybeSent(send(await onceRead(half)), /closed/)
  })

  test('was answered by half a body', async () => {
    const half = (socket: Socket) =>
      void socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":"${canary.answer}`)
    await maybeSent(send(await onceRead(half)), /closed|cut short/)
  })

  test('was answered by a chunked body without its end', async () => {
    const half = (socket: Socket) =>
      void socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n')
    await maybeSent(send(await onceRead(half)), /closed|cut short/)
  })

  test('was answered by something that is not HTTP', async () => {
    const noise = (socket: Socket) =>
      void socket.end(`{"refresh_token":"${canary.answer}"}\r\n\r\n`)
    await maybeSent(send(await onceRead(noise)), /HPE_|not HTTP/)
  })

  test('was answered by a head that breaks off into noise', async () => {
    const noise = (socket: Socket) =>
      void socket.end(`HTTP/1.1 200 OK\r\nX: y\r\n${canary.answer}\u0000\r\n\r\n`)
    await maybeSent(send(await onceRead(noise)), /HPE_|not HTTP/)
  })

  test('was not answered in time', async () => {
    await maybeSent(send(await onceRead(() => {}), {}, { timeoutSeconds: 0.1 }), /took too long/)
  })

  test('was answered by a body that trickles for longer than allowed', async () => {
    const trickle = (socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n')
      const timer = setInterval(() => socket.write('x'), 10)
      socket.on('close', () => clearInterval(timer))
    }
    await maybeSent(send(await onceRead(trickle), {}, { timeoutSeconds: 0.2 }), /took too long/)
  })
})

describe('an answer that is not read', () => {
  test('is compressed although that was not asked for', async () => {
    const origin = await plain((_request, response) => {
      response.setHeader('content-encoding', 'gzip').end(gzipSync(`{"a":"${canary.answer}"}`))
    })
    const error = await failure(send(origin))
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', status: 200, spent: 'maybe' })
    expect(error.message).toContain('the call at 127.0.0.1:')
  })

  test('is larger than a token answer can be, with a length', async () => {
    const origin = await plain((_request, response) => {
      response.end(canary.answer.padEnd(bodyLimitBytes + 1, 'x'))
    })
    const error = await failure(send(origin))
    expect(error).toMatchObject({ code: 'ERR_RESPONSE', status: 200, spent: 'maybe' })
    expect(error.message).toContain('1048576 bytes')
  })

  test('is larger than that and never ends', async () => {
    const origin = await plain((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    })
    expect(await failure(send(origin))).toMatchObject({ code: 'ERR_RESPONSE', spent: 'maybe' })
  })
})

describe('a server is recognised', () => {
  const isAnswered = async (origin: string, transport: Transport) =>
    expect((await send(origin, transport)).json).toEqual({ hello: 'world' })

  test('by an authority of its own', async () => {
    const port = await secure({ key: issued.key, cert: issued.cert })
    await isAnswered(`https://127.0.0.1:${port}`, { ca })
    await isAnswered(`https://localhost:${port}`, { ca })
  })

  test.each(['certificate', 'publicKey'] as const)(
    'by a pin of its %s, whatever its name',
    async (kind) => {
      const port = await secure({ key: device.key, cert: device.cert })
      await isAnswered(`https://127.0.0.1:${port}`, { pins: [device.pins[kind]] })
    },
  )

  test('by any pin of a set', async () => {
    const port = await secure({ key: device.key, cert: device.cert })
    const pins = [other.pins.certificate, other.pins.publicKey, device.pins.publicKey]
    await isAnswered(`https://127.0.0.1:${port}`, { pins })
  })

  test.each(['127.0.0.1', 'localhost'])('by a configured name instead of %s', async (host) => {
    const port = await secure({ key: device.key, cert: device.cert })
    const transport = { ca: device.cert, serverName: 'device.example' }
    await isAnswered(`https://${host}:${port}`, transport)
  })

  test('anew on every connection: a resumed session shows no certificate to compare', async () => {
    const resumed: boolean[] = []
    const port = await secure({ key: device.key, cert: device.cert }, (message, response) => {
      resumed.push((message.socket as TLSSocket).isSessionReused())
      response.setHeader('connection', 'close').end()
    })
    const http = createHttp({ pins: [device.pins.certificate] })
    onTestFinished(() => http.close())
    for (let n = 0; n < 3; n++) await http.request(request(`https://127.0.0.1:${port}`))
    expect(resumed).toEqual([false, false, false])
  })
})

test('a client certificate is presented to a server that asks for one', async () => {
  const shown: unknown[] = []
  const authority = await createAuthority('clients', new Date())
  const client = await authority.issue({ usage: 'client', commonName: 'connector-7' })
  const options = { key: issued.key, cert: issued.cert, ca: authority.ca }
  const asking = { ...options, requestCert: true, rejectUnauthorized: false }
  const port = await secure(asking, (message, response) => {
    const socket = message.socket as TLSSocket
    shown.push(socket.authorized ? socket.getPeerCertificate().subject.CN : undefined)
    response.end('{}')
  })
  const clientCertificate = { certificate: client.cert, privateKey: new Redacted(client.key) }
  await send(`https://127.0.0.1:${port}`, { ca, clientCertificate })
  await send(`https://127.0.0.1:${port}`, { ca })
  expect(shown).toEqual(['connector-7', undefined])
})
