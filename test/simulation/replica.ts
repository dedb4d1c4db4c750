import { StoreError } from '../../lib/core/errors.ts'
import { SimulatedCloud, SimulatedSecret } from './cloud.ts'
import type { Instant } from './timeline.ts'

const readOnly = () =>
  new StoreError('PutSecretValue failed with InvalidRequestException', 'denied')

/** A secret in another region: read-only and some time behind, until it is promoted. */
export class ReplicaSecret extends SimulatedSecret {
  private readonly primary: SimulatedSecret
  private readonly lagMs: number
  private isReplica = true

  constructor(isEnforced: boolean, primary: SimulatedSecret, lagMs: number) {
    super(isEnforced)
    this.primary = primary
    this.lagMs = lagMs
  }

  override currentId(asOf: Instant) {
    return this.isReplica ? this.primary.currentId(asOf - this.lagMs) : super.currentId(asOf)
  }

  override read(versionId: string | undefined, asOf: Instant) {
    return this.isReplica
      ? this.primary.read(versionId, asOf - this.lagMs)
      : super.read(versionId, asOf)
  }

  override put(...args: Parameters<SimulatedSecret['put']>) {
    if (this.isReplica) throw readOnly()
    return super.put(...args)
  }

  override promote(...args: Parameters<SimulatedSecret['promote']>) {
    if (this.isReplica) throw readOnly()
    return super.promote(...args)
  }

  /** A secret of its own from now on, with what has come over. */
  stopReplication(now: Instant) {
    if (!this.isReplica) return
    this.isReplica = false
    const asOf = now - this.lagMs
    this.versions.clear()
    for (const [id, version] of this.primary.versions) {
      if (version.since <= asOf) this.versions.set(id, { ...version, since: asOf })
    }
    const current = this.primary.currentId(asOf)
    this.current.splice(0)
    if (current !== undefined) this.label(current, asOf)
  }

  /** A replica again; what it had of its own is gone. */
  replicate() {
    this.isReplica = true
    this.versions.clear()
    this.current.splice(0)
  }
}

/** One region of a world. */
export interface Region {
  readonly name: string
  readonly cloud: SimulatedCloud
}

/**
 * What a judge looks at in a world of two regions: the region at work, as one that consumers read from;
 * but a pair may be safe wherever it can be fetched from.
 */
export function viewOf(home: () => Region, reachable: () => readonly Region[]): SimulatedCloud {
  const view = new SimulatedCloud()
  view.secret = (secretId) => {
    const seen = new SimulatedSecret(false)
    for (const { name, cloud } of new Set([home(), ...reachable()])) {
      for (const [id, version] of cloud.secret(secretId).versions) {
        seen.versions.set(`${name} ${id}`, version)
      }
    }
    const { name, cloud } = home()
    for (const { id, since } of cloud.secret(secretId).current) {
      seen.current.push({ id: `${name} ${id}`, since })
    }
    return seen
  }
  Object.defineProperties(view, {
    items: { get: () => home().cloud.items },
    parameters: {
      get: () => ({
        get: (name: string) =>
          name.endsWith('/escrow')
            ? reachable()
                .map(({ cloud }) => cloud.parameters.get(name))
                .join('\n')
            : home().cloud.parameters.get(name),
      }),
    },
  })
  return view
}
