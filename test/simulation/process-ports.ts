import type { Ports } from '../../lib/core/run.ts'
import type { Http } from '../../lib/core/vendor.ts'
import type { Process } from './process.ts'

/** The engine's ports, as a process has them. `fake` gives a connection's vendor. */
export function portsOf(
  process: Process,
  timings: Ports['timings'],
  fake: (connection: string) => () => Http,
): Ports {
  const { cloud, timeline, troubles, note } = process.world
  const asOf = () => {
    const lag = troubles.befalls('stale read', timeline.now())
    if (lag !== undefined) process.isDisturbed = true
    return timeline.now() - (lag === undefined ? 0 : lag.between(100, 5000))
  }
  const of = (secretId: string) => cloud.secret(secretId)
  return {
    timings,
    clock: process.clock,
    secrets: {
      read: (id, version) =>
        process.store('secrets', 'secrets.read', () => of(id).read(version, asOf())),
      currentId: (id) =>
        process.store('secrets', 'secrets.currentId', () => of(id).currentId(asOf())),
      put: (id, version, label) =>
        process.store('secrets', 'secrets.put', () => of(id).put(version, label, timeline.now())),
      promote: (id, move) =>
        process.store('secrets', 'secrets.promote', () => of(id).promote(move, timeline.now())),
    },
    ledger: {
      read: (_vendor, id) => tellingTime(process, 'ledger.read', () => cloud.items.get(id)),
      write: (item) => tellingTime(process, 'ledger.write', () => cloud.write(item)),
      dues: (vendor) => tellingTime(process, 'ledger.dues', () => cloud.dues(vendor)),
    },
    parameters: {
      read: (name) =>
        process.store('parameters', 'parameters.read', () => cloud.parameters.get(name)),
      write: (name, text) =>
        process.store(
          'parameters',
          'parameters.write',
          () => void cloud.parameters.set(name, text),
        ),
      remove: (name) =>
        process.store('parameters', 'parameters.remove', () => void cloud.parameters.delete(name)),
    },
    events: {
      emit: (event) =>
        process.store('events', 'events.emit', () => {
          const { type, detail, idempotencyKey } = event
          note(process.name, `tells: ${type} ${detail.cause ?? ''} ${idempotencyKey}`)
          cloud.emit(event)
        }),
    },
    connect: (connection, vendor, { credential }) => {
      const http = fake(connection.id)()
      return vendor.connect(connection, credential, {
        request: (request) => process.vendor(request, () => http.request(request)),
        close: async () => {},
      })
    },
  }
}

/** A call of the ledger, whose answer sets the process's clock. */
async function tellingTime<R>(process: Process, name: string, effect: () => R): Promise<R> {
  const { timeline } = process.world
  let answered = 0
  const call = process.store('ledger', name, () => {
    answered = timeline.now()
    return effect()
  })
  // Only now: a clock that jumps does so before the call.
  const sentAt = process.localTime()
  const result = await call
  const receivedAt = process.localTime()
  process.clock.set({ at: new Date(Math.floor(answered / 1000) * 1000), sentAt, receivedAt })
  return result
}
