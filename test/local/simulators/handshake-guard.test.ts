import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { guardHandshake } from '../../../lib/local/simulators/handshake-guard.ts'

/** A connection as the guard sees it: what a client sends, and what comes back. */
function connection() {
  const back: Buffer[] = []
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      back.push(chunk)
      done()
    },
  })
  // Of a socket, the guard uses what every stream has.
  return {
    socket: socket as unknown as Socket,
    answered: () => Buffer.concat(back).toString('hex'),
  }
}

const record = (type: number, payload: Buffer) =>
  Buffer.concat([Buffer.from([type, 3, 3, payload.length >> 8, payload.length & 255]), payload])

// Handshake message 11: length, length of the list, and per certificate its length and itself.
const shown = Buffer.from('0b00000a000007000004deadbeef', 'hex')
const nothing = Buffer.from('0b000003000000', 'hex')
const hello = Buffer.from('01000002abcd', 'hex')
const changeCipherSpec = record(20, Buffer.from([1]))

async function guarded(pieces: readonly Buffer[], isWelcome: boolean) {
  const { socket, answered } = connection()
  const asked: (string | undefined)[] = []
  const inner = guardHandshake(socket, (certificate) => {
    asked.push(certificate?.toString('hex'))
    return isWelcome
  })
  const passed: Buffer[] = []
  inner.on('data', (chunk) => passed.push(chunk))
  for (const piece of pieces) {
    socket.push(piece)
    await new Promise(setImmediate)
  }
  return { asked, answered: answered(), passed: Buffer.concat(passed) }
}

const bytesOf = (stream: Buffer) => [...stream].map((byte) => Buffer.from([byte]))

test.each([
  ['in one piece', [Buffer.concat([record(22, hello), record(22, shown), changeCipherSpec])]],
  ['byte by byte', bytesOf(Buffer.concat([record(22, hello), record(22, shown)]))],
  ['over two records', [record(22, shown.subarray(0, 6)), record(22, shown.subarray(6))]],
])('a certificate that is not welcome is met by an alert, sent %s', async (_, pieces) => {
  const { asked, answered } = await guarded(pieces, false)
  expect(asked).toEqual(['deadbeef'])
  // Fatal (2): certificate_unknown (46).
  expect(answered).toBe('1503030002022e')
})

test('no certificate where one is wanted is a handshake failure', async () => {
  const { asked, answered } = await guarded([record(22, nothing)], false)
  expect(asked).toEqual([undefined])
  // Fatal (2): handshake_failure (40).
  expect(answered).toBe('15030300020228')
})

test('a welcome one passes with every byte, and nothing after it is looked at', async () => {
  const stream = Buffer.concat([record(22, hello), record(22, shown), record(22, shown)])
  const { asked, answered, passed } = await guarded(bytesOf(stream), true)
  expect(asked).toEqual(['deadbeef'])
  expect(answered).toBe('')
  expect(passed.equals(stream)).toBe(true)
})

test('a handshake without any certificate message passes', async () => {
  const { asked, passed } = await guarded([record(22, hello), changeCipherSpec], false)
  expect(asked).toEqual([])
  expect(passed.length).toBe(record(22, hello).length + changeCipherSpec.length)
})
