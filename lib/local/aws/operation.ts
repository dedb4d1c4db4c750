import type { Replication } from './replication.ts'
import type { Lag, SecretStore } from './secret-store.ts'
import type { VersionLimits } from './secret-versions.ts'
import type { Surroundings } from './surroundings.ts'

/**
 * One operation of a service: the request's JSON in, the answer's JSON out; undefined is an empty
 * answer. It runs to its end at once, so that no two calls see each other half done.
 *
 * @param lag asks a read to answer with an earlier state
 * @throws {AwsError}
 */
export type Operation = (request: unknown, lag?: Lag) => object | undefined

export interface SecretsContext {
  readonly store: SecretStore
  readonly limits: VersionLimits
  readonly surroundings: Surroundings
  /** What carries secrets to other regions; absent: this region is alone. */
  readonly replication?: Replication
}
