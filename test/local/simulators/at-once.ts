import { once } from 'node:events'
import { connect } from 'node:net'

/**
 * Posts the same JSON twice in one packet, pipelined (RFC 9112, section 9.3.2), so that the second
 * request is surely there before the first has been answered: two connections may miss each other.
 *
 * @returns both statuses
 */
export async function postTwiceAtOnce(url: string, body: unknown): Promise<number[]> {
  const { hostname, port, pathname } = new URL(url)
  const json = JSON.stringify(body)
  const request = `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${json.length}\r\n`
  const socket = connect(Number(port), hostname)
  let answers = ''
  socket.on('data', (piece) => {
    answers += piece
  })
  socket.write(`${request}\r\n${json}${request}Connection: close\r\n\r\n${json}`)
  await once(socket, 'close')
  return [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}
