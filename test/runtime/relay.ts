import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** How connections are lost while nobody looks. */
export const losses = [
  /** The server closes them, as it does with idle ones. */
  'closed',
  /** They are reset. */
  'reset',
  /** A gateway on the way has forgotten them, and resets whoever still uses one. */
  'forgotten',
] as const

export type Loss = (typeof losses)[number]

export interface Relay {
  readonly url: string
  /** Connections that are open. */
  readonly open: () => number
  /** Loses all of them; later ones are not concerned. */
  readonly lose: (loss: Loss) => void
  readonly close: () => Promise<void>
}

/** Hands bytes on to a server of loopback, and loses connections when told to. */
export async function startRelay(upstream: string): Promise<Relay> {
  const { hostname, port } = new URL(upstream)
  const pairs = new Map<Socket, Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    pairs.set(near, far)
    near.pipe(far).pipe(near)
    near
      .on('error', () => undefined)
      .once('close', () => {
        pairs.delete(near)
        far.destroy()
      })
    far.on('error', () => undefined).once('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const lost: Readonly<Record<Loss, (near: Socket, far: Socket) => void>> = {
    closed: (near) => void near.end(),
    reset: (near) => void near.resetAndDestroy(),
    forgotten(near, far) {
      near.unpipe(far)
      far.unpipe(near)
      near.once('data', () => near.resetAndDestroy()).resume()
    },
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => pairs.size,
    lose(loss) {
      for (const [near, far] of pairs) lost[loss](near, far)
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const near of pairs.keys()) near.destroy()
      await closed
    },
  }
}
