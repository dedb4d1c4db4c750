import { createHash, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { buildConnector as BuildConnector } from 'undici'
import request from 'undici/lib/api/api-request.js'
import buildConnector from 'undici/lib/core/connect.js'
import Client from 'undici/lib/dispatcher/client.js'
import type { InferOutput } from 'valibot'
import type { Tls } from './core/connection.ts'
import { isRotatorError, ResponseError, TransportError } from './core/errors.ts'
import type { Http, HttpAnswer, HttpRequest, TlsMaterial } from './core/vendor.ts'

/** Largest body that is read, in bytes; token answers are a few KiB. */
export const bodyLimitBytes = 1024 * 1024

// Reaching a host takes no longer than this even where its answer may.
const connectTimeoutMs = 10_000

/** How the server is recognised, and what it is shown. */
export type Transport = InferOutput<typeof Tls> & TlsMaterial

/**
 * What a connection's TLS consists of. Configuration wins over what was enrolled: a configured `ca`
 * replaces the enrolled one, and configured pins are the whole proof, so that a self-signed
 * certificate may be pinned whatever name it bears.
 */
export function transport(
  tls: InferOutput<typeof Tls> = {},
  material: TlsMaterial = {},
): Transport {
  const { ca, ...client } = material
  return { ...client, ...(ca === undefined || tls.pins !== undefined ? {} : { ca }), ...tls }
}

/** A connection to one origin. */
interface Line {
  readonly client: Client
  isConnected: boolean
  hasAnswered: boolean
  protocol?: string | null
  /** Alert that ended the connection: undici reports only that the socket was closed. */
  alert?: string | undefined
  peerNotAfter?: Date
}

/**
 * The transport of one run: one connection per origin, no retries, no redirects, no compression, TLS
 * 1.2 or later. What goes wrong becomes one of two errors:
 *
 *     before the connection stands  → TransportError, sent 'no'
 *     afterwards                    → TransportError, sent 'maybe'
 *     body over 1 MiB, or encoded   → ResponseError
 *
 * With TLS 1.3 a server looks at the client certificate when the client is already done and has sent
 * its request. Its alert then still means 'no': no request is processed before the server is done, too
 * (RFC 8446, section 4.4.4 and appendix A.2).
 *
 * @param tls how to recognise servers; public authorities by default
 */
export function createHttp(tls: Transport = {}): Http {
  const lines = new Map<string, Line>()
  return {
    async request(call) {
      const url = new URL(call.url)
      const line = lines.get(url.origin) ?? openLine(url.origin, tls)
      lines.set(url.origin, line)
      try {
        return await exchange(line, url, call)
      } catch (error) {
        if (isRotatorError(error)) throw error
        throw transportError(error, line, `${call.name} at ${url.host}`)
      }
    },
    async close() {
      await Promise.all([...lines.values()].map(({ client }) => client.destroy()))
    },
  }
}

function transportError(error: unknown, line: Line, where: string): TransportError {
  const alert = line.alert ?? alertOf(error)
  const inHandshake = line.protocol === 'TLSv1.3' && !line.hasAnswered
  const cause = new NetworkError(error)
  if (alert !== undefined && alert !== handshakeFailure && (!line.isConnected || inHandshake)) {
    const what = `${where} refused the client certificate by a TLS alert (${alert})`
    return new TransportError(what, 'no', { cause, refused: 'client-certificate' })
  }
  return line.isConnected
    ? new TransportError(`no answer from ${where}: ${reason(error)}`, 'maybe', { cause })
    : new TransportError(`could not reach ${where}: ${reason(error)}`, 'no', { cause })
}

function openLine(origin: string, tls: Transport): Line {
  const open = connector(tls)
  const connect: BuildConnector.connector = (options, callback) => {
    open(options, (...[error, socket]) => {
      line.isConnected = error === null
      line.hasAnswered = false
      line.alert = undefined
      if (error !== null) return callback(error, null)
      socket.once('error', (broken) => {
        line.alert = alertOf(broken)
      })
      line.protocol = (socket as Partial<TLSSocket>).getProtocol?.() ?? null
      const { valid_to } = (socket as Partial<TLSSocket>).getPeerCertificate?.() ?? {}
      if (valid_to !== undefined) line.peerNotAfter = new Date(valid_to)
      callback(null, socket)
    })
  }
  const line: Line = {
    client: new Client(origin, { connect, pipelining: 1 }),
    isConnected: false,
    hasAnswered: false,
  }
  return line
}

async function exchange(line: Line, url: URL, call: HttpRequest): Promise<HttpAnswer> {
  const { name, method, headers = {}, timeoutSeconds } = call
  const { host } = url
  const milliseconds = Math.ceil(timeoutSeconds * 1000)
  const { body, contentType } = bodyOf(call)
  const answer = await request.call(line.client, {
    method,
    path: url.pathname + url.search,
    headers: {
      'user-agent': 'token-rotator',
      accept: 'application/json',
      // A body that was never compressed cannot explode.
      'accept-encoding': 'identity',
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
    headersTimeout: milliseconds,
    bodyTimeout: milliseconds,
    // The two above restart with every byte; this one does not.
    signal: AbortSignal.timeout(milliseconds),
  })
  line.hasAnswered = true
  const received = Object.fromEntries(
    Object.entries(answer.headers).map(([key, value]) => [key, [value ?? ''].flat().join(', ')]),
  )
  if ((received['content-encoding'] ?? 'identity') !== 'identity') {
    // Unread, it reports its own end as an error, which would end the process.
    answer.body.on('error', () => undefined).destroy()
    throw new ResponseError(`${name} at ${host} sent a compressed body, which was not asked for`, {
      status: answer.statusCode,
    })
  }
  const chunks: Buffer[] = []
  let size = 0
  try {
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
  } catch (error) {
    // A wrong Content-Length, or an end that never comes, is no reason to throw a token pair away: a JSON
    // object whose last brace is there cannot go on.
    if (isRotatorError(error) || !isWholeObject(chunks)) throw error
  }
  const text = Buffer.concat(chunks).toString('utf8')
  return {
    status: answer.statusCode,
    contentType: received['content-type'] ?? '',
    headers: received,
    text,
    json: parse(text),
    ...(line.peerNotAfter === undefined ? {} : { peerNotAfter: line.peerNotAfter }),
  }
}

function bodyOf({ json, form, body }: HttpRequest): { body?: string; contentType?: string } {
  if (json !== undefined) return { body: JSON.stringify(json), contentType: 'application/json' }
  if (form !== undefined) {
    const text = new URLSearchParams(form).toString()
    return { body: text, contentType: 'application/x-www-form-urlencoded' }
  }
  return body === undefined ? {} : { body }
}

function isWholeObject(chunks: readonly Buffer[]): boolean {
  const json = parse(Buffer.concat(chunks).toString('utf8'))
  return typeof json === 'object' && json !== null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A connector that proves the server before the first byte of a request. */
function connector(tls: Transport): BuildConnector.connector {
  const { ca, pins, serverName, clientCertificate } = tls
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    minVersion: 'TLSv1.2',
    // A resumed session would show no certificate to compare.
    maxCachedSessions: 0,
    // Each certificate is trusted for itself: a device's own need not be a root, and of two self-signed
    // ones of one name, current and reserve, OpenSSL would otherwise know only the first.
    ...(ca === undefined ? {} : { ca, allowPartialTrustChain: true }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(clientCertificate === undefined
      ? {}
      : { cert: clientCertificate.certificate, key: clientCertificate.privateKey.reveal() }),
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

/**
 * What went wrong, without what it went wrong with: errors of network libraries quote the URL or, if
 * an answer cannot be parsed, the answer itself.
 */
class NetworkError extends Error {
  override readonly name = 'NetworkError'

  constructor(error: unknown) {
    super(codeOf(error))
  }
}

function reason(error: unknown): string {
  const code = alertOf(error) ?? codeOf(error)
  return reasons[code] ?? code
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown'
}

/**
 * The alert that a TLS error stands for, if it is among those below. OpenSSL counts alerts from 1000;
 * Node gives the error now a code of its own, now EPROTO, but always OpenSSL's number in its message.
 */
function alertOf(error: unknown): string | undefined {
  const { message } = error as { message?: unknown }
  const [, hex] = /:error:0A000([0-9A-F]{3}):/.exec(String(message)) ?? []
  return hex === undefined ? undefined : alerts[Number.parseInt(hex, 16) - 1000]
}

const handshakeFailure = 'handshake_failure'

/** Alerts about the client's certificate (RFC 8446, section 6.2), and what 1.2 has for a missing one. */
const alerts: Readonly<Record<number, string>> = {
  40: handshakeFailure,
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  48: 'unknown_ca',
  49: 'access_denied',
  116: 'certificate_required',
}

const reasons: Readonly<Record<string, string>> = {
  ERR_PIN_MISMATCH:
    'the certificate matches none of the configured pins; compare tls.pins with the certificate the device shows',
  ENOTFOUND: 'the host name is unknown (ENOTFOUND)',
  EAI_AGAIN: 'the host name could not be looked up (EAI_AGAIN)',
  ECONNREFUSED: 'the connection was refused (ECONNREFUSED)',
  ECONNRESET: 'the connection was reset (ECONNRESET)',
  TimeoutError: 'it took too long',
  UND_ERR_CONNECT_TIMEOUT: 'connecting took too long',
  UND_ERR_HEADERS_TIMEOUT: 'it took too long',
  UND_ERR_BODY_TIMEOUT: 'its body took too long',
  [handshakeFailure]:
    'the server ended the TLS handshake (handshake_failure): it may want a client certificate, or other ciphers',
  UND_ERR_SOCKET: 'the connection was closed before the answer was whole',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer was cut short',
  HTTPParserError: 'the answer is not HTTP',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed; configure tls.ca or tls.pins',
  SELF_SIGNED_CERT_IN_CHAIN:
    'the certificate comes from an unknown authority; configure tls.ca or tls.pins',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the certificate comes from an unknown authority; configure tls.ca or tls.pins',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate names another host; configure tls.serverName or tls.pins',
}
