import { StoreError, TransportError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'

/** What happens at one boundary of a run: the process dies, or goes on without the answer. */
export type Fault = 'die before' | 'die after' | 'lose the answer'
export const faults: readonly Fault[] = ['die before', 'die after', 'lose the answer']

/** A boundary that a run crosses, e.g. `secrets.put`. */
export type Boundary = string

/** What stands between a run and the call it makes: it makes the call, or not, and answers. */
export type Crossing = <R>(name: Boundary, call: () => Promise<R>) => Promise<R>

/** How a call ends whose answer never comes: for a vendor's, nobody knows whether it took effect. */
export function unanswered(name: Boundary): Error {
  return name.startsWith('vendor.')
    ? new TransportError('no answer', 'maybe')
    : new StoreError(`${name} was not answered`, 'retry')
}

/**
 * Ports whose `at`-th call meets a fault. A process that dies just never goes on: the promise stays
 * open, as nothing may be observed of it any more.
 *
 * @param at counted from 0; -1 only records
 */
export function faulty(ports: Ports, at: number, fault: Fault) {
  const crossed: Boundary[] = []
  let isDead = false
  let die = () => {}
  const died = new Promise<'died'>((resolve) => {
    die = () => {
      isDead = true
      resolve('died')
    }
  })
  const wrapped = interposed(ports, async <R>(name: Boundary, call: () => Promise<R>) => {
    // Whatever else the process had begun ends with it.
    if (isDead) return new Promise<R>(() => {})
    const isHere = crossed.push(name) - 1 === at
    if (!isHere) return call()
    if (fault !== 'die before') await call()
    if (fault === 'lose the answer') throw unanswered(name)
    die()
    return new Promise<R>(() => {})
  })
  return { ports: wrapped, crossed, died }
}

/** Ports of which every call that leaves the process goes through `cross`. */
export function interposed(ports: Ports, cross: Crossing): Ports {
  const through =
    <A extends unknown[], R>(name: Boundary, call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      cross(name, () => call(...args))
  const { secrets, ledger, parameters, events } = ports
  return {
    ...ports,
    secrets: {
      read: through('secrets.read', secrets.read),
      currentId: through('secrets.currentId', secrets.currentId),
      put: through('secrets.put', secrets.put),
      promote: through('secrets.promote', secrets.promote),
    },
    ledger: {
      ...ledger,
      read: through('ledger.read', ledger.read),
      write: through('ledger.write', ledger.write),
    },
    parameters: {
      read: through('parameters.read', parameters.read),
      write: through('parameters.write', parameters.write),
      remove: through('parameters.remove', parameters.remove),
    },
    events: { emit: through('events.emit', events.emit) },
    ...(ports.regions === undefined
      ? {}
      : {
          regions: {
            ...ports.regions,
            peers: ports.regions.peers.map((peer) => ({
              region: peer.region,
              ledger: {
                read: through('peer.ledger.read', peer.ledger.read),
                write: through('peer.ledger.write', peer.ledger.write),
              },
              secrets: { read: through('peer.secrets.read', peer.secrets.read) },
              parameters: { read: through('peer.parameters.read', peer.parameters.read) },
            })),
          },
        }),
    connect: (connection, vendor, enrolled) => {
      const client = ports.connect(connection, vendor, enrolled)
      return {
        ...client,
        grants: client.grants.map((grant) => ({
          ...grant,
          request: through(`vendor.${grant.name}`, grant.request),
        })),
        ...(client.verify === undefined ? {} : { verify: through('vendor.verify', client.verify) }),
        ...(client.keepAlive === undefined
          ? {}
          : { keepAlive: through('vendor.keepAlive', client.keepAlive) }),
        ...(client.introspect === undefined
          ? {}
          : { introspect: through('vendor.introspect', client.introspect) }),
        ...(client.revoke === undefined ? {} : { revoke: through('vendor.revoke', client.revoke) }),
      }
    },
  }
}
