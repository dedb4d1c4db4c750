import { StoreError } from '../../lib/core/errors.ts'
import type { RotatorEvent } from '../../lib/core/events.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import type { FoundVersion, StoredVersion } from '../../lib/core/ports.ts'
import { versionQuota } from '../../lib/core/renewal.ts'
import type { Instant } from './timeline.ts'

const windowMs = 86_400_000

/** One secret by Secrets Manager's rules of versions and labels, with its past: readers may lag behind. */
export class SimulatedSecret {
  readonly versions = new Map<string, { readonly text: string; readonly since: Instant }>()
  /** Where the current label has been, newest last. */
  readonly current: { readonly id: string; readonly since: Instant }[] = []
  /** Whether a version of the last 24 hours keeps its place when the quota is reached. */
  private readonly isEnforced: boolean

  constructor(isEnforced: boolean) {
    this.isEnforced = isEnforced
  }

  currentId(asOf: Instant): string | undefined {
    for (let index = this.current.length - 1; index >= 0; index--) {
      const label = this.current[index]
      if (label !== undefined && label.since <= asOf) return label.id
    }
    return undefined
  }

  /** What a reader sees that is as far behind as `asOf`. */
  read(versionId: string | undefined, asOf: Instant): FoundVersion | undefined {
    const id = versionId ?? this.currentId(asOf)
    const version = id === undefined ? undefined : this.versions.get(id)
    if (id === undefined || version === undefined || version.since > asOf) return undefined
    return { versionId: id, text: version.text, createdAt: new Date(version.since) }
  }

  put({ versionId, text }: StoredVersion, label: 'pending' | 'current', now: Instant) {
    const known = this.versions.get(versionId)
    if (known !== undefined) return known.text === text ? ('stored' as const) : 'conflict'
    if (this.versions.size >= versionQuota) this.purge(now)
    this.versions.set(versionId, { text, since: now })
    if (label === 'current' || this.current.length === 0) this.label(versionId, now)
    return 'stored' as const
  }

  promote({ from, to }: { from?: string; to: string }, now: Instant) {
    if (!this.versions.has(to)) throw new StoreError('no such version', 'retry')
    const current = this.current.at(-1)?.id
    if (current === to) return 'promoted' as const
    if (current !== from) return 'superseded' as const
    this.label(to, now)
    return 'promoted' as const
  }

  label(id: string, now: Instant) {
    this.current.push({ id, since: now })
    if (this.current.length > 8) this.current.shift()
  }

  private purge(now: Instant) {
    const labelled = this.current.at(-1)?.id
    for (const [id, { since }] of this.versions) {
      const isYoung = this.isEnforced && now - since < windowMs
      if (id === labelled || isYoung) continue
      this.versions.delete(id)
      return
    }
    throw new StoreError('PutSecretValue failed with LimitExceededException', 'limit')
  }
}

/** What AWS keeps for the rotator: state alone; who calls, and what comes of the call, is a process's affair. */
export class SimulatedCloud {
  readonly secrets = new Map<string, SimulatedSecret>()
  readonly items = new Map<string, LedgerItem>()
  readonly parameters = new Map<string, string>()
  readonly events: RotatorEvent[] = []
  /** Who is told of every event, at the moment it is on the bus. */
  listener: (event: RotatorEvent) => void = () => {}

  secret(secretId: string): SimulatedSecret {
    const secret = this.secrets.get(secretId)
    if (secret === undefined) throw new StoreError(`no secret ${secretId}`, 'denied')
    return secret
  }

  emit(event: RotatorEvent) {
    this.events.push(event)
    this.listener(event)
  }

  /** A conditional write, which knows its own repetition. */
  write(item: LedgerItem): 'written' | 'conflict' {
    const stored = this.items.get(item.connection)
    if (stored?.revision === item.revision && stored.writer === item.writer) return 'written'
    if ((stored?.revision ?? 0) !== item.revision - 1) return 'conflict'
    this.items.set(item.connection, item)
    return 'written'
  }

  dues(vendor: string) {
    return [...this.items.values()]
      .filter((item) => item.vendor === vendor)
      .map(({ connection, dueAt }) => ({ connection, dueAt }))
      .sort((one, other) => one.dueAt.getTime() - other.dueAt.getTime())
  }
}
