import { createHash, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { buildConnector as BuildConnector } from 'undici'
import request from 'undici/lib/api/api-request.js'
import buildConnector from 'undici/lib/core/connect.js'
import Client from 'undici/lib/dispatcher/client.js'
import type { InferOutput } from 'valibot'
import type { Tls } from './core/connection.ts'
import { isRotatorError, ResponseError, TransportError } from './core/errors.ts'
import type { Http, HttpAnswer, HttpRequest } from './core/vendor.ts'

/** Largest body that is read, in bytes; token answers are a few KiB. */
export const bodyLimitBytes = 1024 * 1024

// Reaching a host takes no longer than this even where its answer may.
const connectTimeoutMs = 10_000

/**
 * The transport of one run to one vendor endpoint: one connection, no retries, no redirects, no
 * compression, TLS 1.2 or later. What goes wrong becomes one of two errors:
 *
 *     before the connection stands  → TransportError, sent 'no'
 *     afterwards                    → TransportError, sent 'maybe'
 *     body over 1 MiB, or encoded   → ResponseError
 *
 * @param url origin to speak to; paths of requests are absolute
 * @param tls how to recognise the server; public authorities by default
 */
export function createHttp(url: string, tls: InferOutput<typeof Tls> = {}): Http {
  const { host, origin } = new URL(url)
  let isConnected = false
  const connect: BuildConnector.connector = (options, callback) => {
    connector(tls)(options, (...result) => {
      isConnected = result[0] === null
      callback(...result)
    })
  }
  const client = new Client(origin, { connect, pipelining: 1 })
  return {
    async request(call) {
      try {
        return await exchange(client, host, call)
      } catch (error) {
        if (isRotatorError(error)) throw error
        const where = `${call.name} at ${host}`
        throw isConnected
          ? new TransportError(`no answer from ${where}: ${reason(error)}`, 'maybe', {
              cause: error,
            })
          : new TransportError(`could not reach ${where}: ${reason(error)}`, 'no', { cause: error })
      }
    },
    close: () => client.destroy(),
  }
}

async function exchange(client: Client, host: string, call: HttpRequest): Promise<HttpAnswer> {
  const { name, method, path, headers = {}, json, timeoutSeconds } = call
  const milliseconds = Math.ceil(timeoutSeconds * 1000)
  const answer = await request.call(client, {
    method,
    path,
    headers: {
      'user-agent': 'token-rotator',
      accept: 'application/json',
      // A body that was never compressed cannot explode.
      'accept-encoding': 'identity',
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    headersTimeout: milliseconds,
    bodyTimeout: milliseconds,
    // The two above restart with every byte; this one does not.
    signal: AbortSignal.timeout(milliseconds),
  })
  const encoding = String(answer.headers['content-encoding'] ?? 'identity')
  if (encoding !== 'identity') {
    answer.body.destroy()
    throw new ResponseError(`${name} at ${host} sent a compressed body, which was not asked for`, {
      status: answer.statusCode,
    })
  }
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bodyLimitBytes) {
      answer.body.destroy()
      throw new ResponseError(`${name} at ${host} sent more than ${bodyLimitBytes} bytes`, {
        status: answer.statusCode,
      })
    }
    chunks.push(chunk)
  }
  return {
    status: answer.statusCode,
    contentType: String(answer.headers['content-type'] ?? ''),
    json: parse(Buffer.concat(chunks).toString('utf8')),
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A connector that proves the server before the first byte of a request. */
function connector(tls: InferOutput<typeof Tls>): BuildConnector.connector {
  const { ca, pins, serverName } = tls
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    minVersion: 'TLSv1.2',
    // A resumed session would show no certificate to compare.
    maxCachedSessions: 0,
    ...(ca === undefined ? {} : { ca }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    // With pins and no authority, the pin alone is the proof: it is compared below, before any use.
    ...(pins !== undefined && ca === undefined ? { rejectUnauthorized: false } : {}),
  } as BuildConnector.BuildOptions)
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null || pins === undefined || options.protocol !== 'https:') {
        return error === null ? callback(null, socket) : callback(error, null)
      }
      if (matches(socket as TLSSocket, pins)) return callback(null, socket)
      socket.destroy()
      callback(new PinMismatch(), null)
    })
}

class PinMismatch extends Error {
  readonly code = 'ERR_PIN_MISMATCH'
}

function matches(socket: TLSSocket, pins: readonly string[]): boolean {
  const raw = socket.getPeerCertificate().raw
  if (raw === undefined) return false
  const certificate = new X509Certificate(raw)
  const publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' })
  return [certificate.raw, publicKey].some((der) =>
    pins.includes(`sha256/${createHash('sha256').update(der).digest('base64')}`),
  )
}

/** What went wrong, by code: messages of network libraries may hold the URL. */
function reason(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown }
  const known = typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown'
  return reasons[known] ?? known
}

const reasons: Readonly<Record<string, string>> = {
  ERR_PIN_MISMATCH:
    'the certificate matches none of the configured pins; compare tls.pins with the certificate the device shows',
  ENOTFOUND: 'the host name is unknown (ENOTFOUND)',
  ECONNREFUSED: 'the connection was refused (ECONNREFUSED)',
  ECONNRESET: 'the connection was reset (ECONNRESET)',
  TimeoutError: 'it took too long',
  UND_ERR_CONNECT_TIMEOUT: 'connecting took too long',
  UND_ERR_HEADERS_TIMEOUT: 'it took too long',
  UND_ERR_BODY_TIMEOUT: 'its body took too long',
  UND_ERR_SOCKET: 'the connection was closed before the answer was whole',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer was cut short',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed; configure tls.ca or tls.pins',
  SELF_SIGNED_CERT_IN_CHAIN:
    'the certificate comes from an unknown authority; configure tls.ca or tls.pins',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the certificate comes from an unknown authority; configure tls.ca or tls.pins',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate names another host; configure tls.serverName or tls.pins',
}
