import type { SecretStore } from './secret-store.ts'
import type { Secret } from './state.ts'

/** What carries secrets from one region's endpoint to another's, some time after every change. */
export interface Replication {
  /** A region is there from now on. @returns how it goes away again */
  readonly join: (region: string, store: SecretStore) => () => void
  /** A secret with replicas has changed in its region. */
  readonly changed: (region: string, name: string) => void
  /** The secret in another region, if that is there. */
  readonly find: (region: string, name: string) => Secret | undefined
  /** Deletes a replica, if it is one of that region's. */
  readonly remove: (from: string, to: string, name: string) => void
  readonly isOnItsWay: (from: string, to: string, name: string) => boolean
  /** Lets nothing through: AWS says nothing of how far replicas lag behind. */
  readonly hold: () => void
  readonly release: () => void
}

/** Endpoints of several regions that are given the same one replicate to each other. */
export function createReplication(): Replication {
  const stores = new Map<string, SecretStore>()
  const waiting = new Map<string, { from: string; to: string; name: string }>()
  let isHeld = false

  function deliver(): void {
    if (isHeld) return
    for (const [key, { from, to, name }] of waiting) {
      const [source, target] = [stores.get(from), stores.get(to)]
      if (source === undefined || target === undefined) continue
      waiting.delete(key)
      const secret = source.named(name)
      const replica = secret?.replicas?.find(({ region }) => region === to)
      const there = target.named(name)
      const isTaken = there !== undefined && there.primaryRegion !== from
      if (secret === undefined || replica === undefined || (isTaken && !replica.overwrites))
        continue
      const { replicas: _, ...copied } = secret
      const arn = secret.arn.replace(`:${from}:`, `:${to}:`)
      target.write({ ...copied, arn, primaryRegion: from })
      if (!replica.overwrites) continue
      const replicas = (secret.replicas ?? []).map(({ region, overwrites }) => ({
        region,
        overwrites: overwrites && region !== to,
      }))
      source.touch({ ...secret, replicas })
    }
  }

  return {
    join(region, store) {
      stores.set(region, store)
      deliver()
      return () => void stores.delete(region)
    },
    changed(region, name) {
      for (const { region: to } of stores.get(region)?.named(name)?.replicas ?? []) {
        waiting.set(`${region} ${to} ${name}`, { from: region, to, name })
      }
      deliver()
    },
    find: (region, name) => stores.get(region)?.named(name),
    remove(from, to, name) {
      const store = stores.get(to)
      if (store?.named(name)?.primaryRegion === from) store.remove(name)
    },
    isOnItsWay: (from, to, name) => waiting.has(`${from} ${to} ${name}`),
    hold() {
      isHeld = true
    },
    release() {
      isHeld = false
      deliver()
    },
  }
}
