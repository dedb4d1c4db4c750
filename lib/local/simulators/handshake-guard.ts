import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** TLS record types (RFC 5246, section 6.2.1) and the one handshake message that is read. */
const changeCipherSpec = 20
const handshake = 22
const certificateMessage = 11

/** Fatal alerts (RFC 5246, section 7.2.2): 1.2 has none of its own for a missing certificate. */
const alerts = { handshakeFailure: 40, certificateUnknown: 46 }

/**
 * Stands between a client and a TLS 1.2 server, and ends the handshake by an alert as soon as the
 * client has shown a certificate that is not welcome. Node's own server never does that: it lets the
 * handshake end well and then drops the connection. Up to TLS 1.2 the certificate goes over in clear,
 * and so does an alert to it; the server must therefore be kept at 1.2.
 *
 * @param isWelcome given the certificate as DER, or nothing if the client has none
 * @returns what the server takes for the connection
 */
export function guardHandshake(
  socket: Socket,
  isWelcome: (certificate: Buffer | undefined) => boolean,
): Duplex {
  const records = createReader()
  let isDecided = false
  const inner = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk: Buffer) => {
    const shown = isDecided ? undefined : records.push(chunk)
    isDecided ||= shown !== undefined
    if (shown === undefined || shown.encrypted || isWelcome(shown.certificate)) {
      if (!inner.push(chunk)) socket.pause()
      return
    }
    const { handshakeFailure, certificateUnknown } = alerts
    const alert = shown.certificate === undefined ? handshakeFailure : certificateUnknown
    socket.removeAllListeners('data').resume()
    socket.end(Buffer.from([21, 3, 3, 0, 2, 2, alert]))
  })
  socket.once('end', () => inner.push(null))
  socket.once('error', () => inner.destroy())
  socket.once('close', () => inner.destroy())
  return inner
}

interface Shown {
  /** First of the chain, DER. */
  readonly certificate?: Buffer
  /** The handshake went on without a certificate having been asked for. */
  readonly encrypted?: boolean
}

/** Reads what a client sends until its certificate has come, in whatever pieces. */
function createReader(): { push(chunk: Buffer): Shown | undefined } {
  let bytes = Buffer.alloc(0)
  let messages = Buffer.alloc(0)
  return {
    push(chunk) {
      bytes = Buffer.concat([bytes, chunk])
      let encrypted = false
      while (!encrypted && bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) {
        const end = 5 + bytes.readUInt16BE(3)
        const type = bytes[0]
        encrypted = type === changeCipherSpec
        if (type === handshake) messages = Buffer.concat([messages, bytes.subarray(5, end)])
        bytes = bytes.subarray(end)
      }
      while (messages.length >= 4 && messages.length >= 4 + messages.readUIntBE(1, 3)) {
        const end = 4 + messages.readUIntBE(1, 3)
        if (messages[0] === certificateMessage) return firstOf(messages.subarray(4, end))
        messages = messages.subarray(end)
      }
      return encrypted ? { encrypted } : undefined
    },
  }
}

/** Length of the list, then each certificate with its own length before it (RFC 5246, section 7.4.2). */
function firstOf(list: Buffer): Shown {
  if (list.length < 6) return {}
  return { certificate: list.subarray(6, 6 + list.readUIntBE(3, 3)) }
}
