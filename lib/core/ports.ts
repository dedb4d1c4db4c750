import type { RotatorEvent } from './events.ts'
import type { LedgerItem } from './ledger.ts'

export interface StoredVersion {
  readonly versionId: string
  readonly text: string
}

/** A version as it is found, with when it was written, by Secrets Manager's clock. */
export interface FoundVersion extends StoredVersion {
  readonly createdAt?: Date
}

/** Secrets Manager, as far as a run needs it. Calls may be repeated; every failure is a `StoreError`. */
export interface SecretStore {
  /** The version with this id, or the current one. `undefined`: there is none, or not yet for this reader. */
  readonly read: (secretId: string, versionId?: string) => Promise<FoundVersion | undefined>
  /** Id of the current version, without reading it. `undefined`: there is none, or not yet for this reader. */
  readonly currentId: (secretId: string) => Promise<string | undefined>
  /**
   * Stores `text` under `versionId`. Repeating with the same text changes nothing; `conflict` if other
   * text stands there. `pending` leaves the current version in place; `current` replaces it.
   */
  readonly put: (
    secretId: string,
    version: StoredVersion,
    label: 'pending' | 'current',
  ) => Promise<'stored' | 'conflict'>
  /**
   * Moves the current label from one version to another; `superseded` if it stood elsewhere. Without
   * `from`, it is given to a version of a secret where none has it.
   */
  readonly promote: (
    secretId: string,
    move: { from?: string; to: string },
  ) => Promise<'promoted' | 'superseded'>
}

/** The ledger table. Reads are strongly consistent; every failure is a `StoreError`. */
export interface Ledger {
  readonly read: (vendor: string, connection: string) => Promise<LedgerItem | undefined>
  /** Writes if the stored item still has `item.revision - 1` (0: no item); else `conflict`. */
  readonly write: (item: LedgerItem) => Promise<'written' | 'conflict'>
  /** Every item of a vendor, soonest due first. */
  readonly dues: (vendor: string) => Promise<readonly { connection: string; dueAt: Date }[]>
}

/** Encrypted parameters: second home of a pair, and mirror of a consumer document. */
export interface Parameters {
  readonly read: (name: string) => Promise<string | undefined>
  readonly write: (name: string, text: string) => Promise<void>
  readonly remove: (name: string) => Promise<void>
}

/** Another region in which the same connections are deployed: its ledger, and what it holds. */
export interface Peer {
  /** Its name, e.g. `eu-west-1`. */
  readonly region: string
  readonly ledger: Pick<Ledger, 'read' | 'write'>
  readonly secrets: Pick<SecretStore, 'read'>
  readonly parameters: Pick<Parameters, 'read'>
}

/** The regions in which the same connections are deployed; one of them is at work, the others stand by. */
export interface Regions {
  readonly own: string
  /** The one that is at work until another takes over. */
  readonly first: string
  readonly peers: readonly Peer[]
}

/** Where people and other systems are told. Failure to emit never fails a run. */
export interface EventSink {
  readonly emit: (event: RotatorEvent) => Promise<void>
}

/** Time, passed in. */
export interface Clock {
  readonly now: () => Date
  readonly sleep: (seconds: number) => Promise<void>
}
