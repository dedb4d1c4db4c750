import { Agent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'

// As many as the SDK's own, for each of AWS's hosts; local mode has all of them behind one.
const options = { keepAlive: true, maxSockets: 300 }

/** What the clients of this process connect through. */
export const agents = { httpAgent: new Agent(options), httpsAgent: new TlsAgent(options) }

/**
 * Closes what no call is using. A function is frozen between two invocations, and who is on the other
 * side, or a gateway on the way, may have given up a connection meanwhile without this process knowing:
 * the call that finds out fails, and so may its one repetition, on another such connection.
 */
export function closeIdleConnections(): void {
  for (const agent of Object.values(agents)) {
    for (const sockets of Object.values(agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy()
    }
  }
}
