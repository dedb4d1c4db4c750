import { StoreError } from '../../lib/core/errors.ts'
import type { RotatorEvent } from '../../lib/core/events.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import type { Clock, EventSink, Ledger, Parameters, SecretStore } from '../../lib/core/ports.ts'

// What was written later has the later instant, in whichever store.
let writes = 0
const nextInstant = () => new Date(++writes * 1000)

/** A secret store that keeps Secrets Manager's rules of versions and labels, in memory. */
export function memorySecrets(secretIds: readonly string[] = []) {
  const secrets = new Map(
    secretIds.map((id) => [
      id,
      {
        versions: new Map<string, string>(),
        createdAt: new Map<string, Date>(),
        labels: new Map<string, string>(),
      },
    ]),
  )
  const of = (secretId: string) => {
    const secret = secrets.get(secretId)
    if (secret === undefined)
      throw new StoreError(`the secret ${secretId} does not exist; deploy the stack`, 'denied')
    return secret
  }
  const store: SecretStore = {
    async read(secretId, versionId) {
      const secret = secrets.get(secretId)
      const id = versionId ?? secret?.labels.get('AWSCURRENT')
      const text = id === undefined ? undefined : secret?.versions.get(id)
      if (id === undefined || text === undefined) return undefined
      const createdAt = secret?.createdAt.get(id)
      return { versionId: id, text, ...(createdAt === undefined ? {} : { createdAt }) }
    },
    currentId: async (secretId) => of(secretId).labels.get('AWSCURRENT'),
    async put(secretId, { versionId, text }, label) {
      const { versions, createdAt, labels } = of(secretId)
      const known = versions.get(versionId)
      if (known !== undefined) return known === text ? 'stored' : 'conflict'
      versions.set(versionId, text)
      createdAt.set(versionId, nextInstant())
      if (label === 'pending') labels.set('AWSPENDING', versionId)
      if (label === 'current' || !labels.has('AWSCURRENT')) labels.set('AWSCURRENT', versionId)
      return 'stored'
    },
    async promote(secretId, { from, to }) {
      const { versions, labels } = of(secretId)
      if (!versions.has(to)) throw new StoreError('no such version yet', 'retry')
      if (labels.get('AWSCURRENT') === to) return 'promoted'
      if (labels.get('AWSCURRENT') !== from) return 'superseded'
      labels.set('AWSCURRENT', to)
      return 'promoted'
    },
  }
  return {
    ...store,
    /** What a person does at the console: another value, under an id of their own. */
    edit(secretId: string, versionId: string, text: string) {
      const { versions, createdAt, labels } = of(secretId)
      versions.set(versionId, text)
      createdAt.set(versionId, nextInstant())
      labels.set('AWSCURRENT', versionId)
    },
    current(secretId: string): Record<string, unknown> | undefined {
      const { versions, labels } = of(secretId)
      const text = versions.get(labels.get('AWSCURRENT') ?? '')
      return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>)
    },
    /** Takes every version away, as before the first enrollment. */
    clear(secretId: string) {
      of(secretId).versions.clear()
      of(secretId).labels.clear()
    },
    /** The version that a reader without any delay finds. */
    labelled: (secretId: string) => of(secretId).labels.get('AWSCURRENT'),
    label: (secretId: string, versionId: string) =>
      of(secretId).labels.set('AWSCURRENT', versionId),
    unlabel: (secretId: string) => of(secretId).labels.delete('AWSCURRENT'),
    versions: (secretId: string) => [...of(secretId).versions.keys()],
    texts: (secretId: string) => [...of(secretId).versions.values()],
  }
}

/** A ledger with conditional writes, in memory. */
export function memoryLedger() {
  const items = new Map<string, LedgerItem>()
  const ledger: Ledger = {
    read: async (_vendor, connection) => items.get(connection),
    async write(item) {
      const stored = items.get(item.connection)
      // As on the table: a repetition finds its own revision.
      if (stored?.revision === item.revision && stored.writer === item.writer) return 'written'
      if ((stored?.revision ?? 0) !== item.revision - 1) return 'conflict'
      items.set(item.connection, item)
      return 'written'
    },
    dues: async (vendor) =>
      [...items.values()]
        .filter((item) => item.vendor === vendor)
        .map(({ connection, dueAt }) => ({ connection, dueAt }))
        .sort((one, other) => one.dueAt.getTime() - other.dueAt.getTime()),
  }
  return { ...ledger, items, item: (connection: string) => items.get(connection) as LedgerItem }
}

export function memoryParameters(): Parameters & { readonly values: Map<string, string> } {
  const values = new Map<string, string>()
  return {
    values,
    read: async (name) => values.get(name),
    write: async (name, text) => void values.set(name, text),
    remove: async (name) => void values.delete(name),
  }
}

export function memoryEvents(): EventSink & { readonly emitted: RotatorEvent[] } {
  const emitted: RotatorEvent[] = []
  return { emitted, emit: async (event) => void emitted.push(event) }
}

/** Time that moves only when told to, or when somebody sleeps. */
export function manualClock(start: Date): Clock & { advance: (seconds: number) => void } {
  let time = start.getTime()
  const advance = (seconds: number) => {
    time += seconds * 1000
  }
  return { now: () => new Date(time), sleep: async (seconds) => advance(seconds), advance }
}
