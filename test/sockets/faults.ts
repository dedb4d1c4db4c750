import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What a network, or a gateway in front of a server, does to one exchange. Only the first spares the
 * server the request; after every other one the request has taken effect and its answer is spoilt.
 */
export const faults = [
  /** The connection is reset before the server has seen the request. */
  'reset-before',
  /** The connection is reset instead of an answer. */
  'reset-after',
  /** Half the body, then an orderly end of the connection. */
  'truncated-body',
  /** Headers at once, then one byte at a time, slower than any patience. */
  'drip',
  /** The body is whole, and shorter than its content-length says; then the connection ends. */
  'length-too-long',
  /** The body is whole, and longer than its content-length says. */
  'length-too-short',
  /** Half the body, then TCP ends without TLS having said so. */
  'tls-close',
  /** A gateway gives up on a server that did its work. */
  '502-after',
  '503-after',
] as const

export type Fault = (typeof faults)[number]

/** An answer as the server gave it. */
export interface Answered {
  readonly status: number
  /** Names and values in turn, without what belongs to the connection. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

/** Both ends of the client's connection: what TLS writes to, and the TCP below it. */
export interface Wire {
  readonly secure: Socket
  readonly raw: Socket
}

const gatewayPage = Buffer.from('<html><body>Bad luck</body></html>\n')

/** Sends an answer to the client, whole or under a fault. */
export async function deliver(
  answered: Answered,
  fault: Fault | undefined,
  wire: Wire,
  dripMilliseconds: number,
): Promise<void> {
  const { secure, raw } = wire
  const { body } = answered
  const half = body.subarray(0, body.length >> 1)
  switch (fault) {
    case undefined:
      return void secure.write(message(answered, body.length, body))
    case 'reset-before':
    case 'reset-after':
      return void raw.resetAndDestroy()
    case 'truncated-body':
      return void secure.end(message(answered, body.length, half))
    case 'length-too-long':
      return void secure.end(message(answered, body.length + 7, body))
    case 'length-too-short':
      return void secure.write(message(answered, half.length, body))
    case 'tls-close':
      return void secure.write(message(answered, body.length, half), () => raw.destroy())
    case '502-after':
    case '503-after': {
      const rawHeaders = ['content-type', 'text/html']
      const gave = { status: Number(fault.slice(0, 3)), rawHeaders, body: gatewayPage }
      return void secure.write(message(gave, gatewayPage.length, gatewayPage))
    }
    case 'drip':
      secure.write(message(answered, body.length, body.subarray(0, 0)))
      for (const byte of body) {
        await sleep(dripMilliseconds)
        if (secure.destroyed) return
        secure.write(Uint8Array.of(byte))
      }
  }
}

function message({ status, rawHeaders }: Answered, length: number, body: Buffer): Buffer {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}`]
  for (let index = 0; index < rawHeaders.length; index += 2) {
    lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`)
  }
  // RFC 9110, section 8.6: none with 204.
  if (status !== 204) lines.push(`content-length: ${length}`)
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
}
