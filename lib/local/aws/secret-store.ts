import { AwsError } from './aws-error.ts'
import type { EventLog } from './event-log.ts'
import { holderOf, pending, previous } from './secret-versions.ts'
import type { Secret } from './state.ts'
import { drawCharacters, type Surroundings } from './surroundings.ts'

/** How far a read lags behind: by a number of writes to that secret, or by time. */
export type Lag = { readonly writes: number } | { readonly milliseconds: number }

/** Earlier states kept per secret, for reads that are asked to lag behind. */
const statesKept = 16

export interface SecretStore {
  /**
   * The secret of that name, ARN, or ARN without its random suffix.
   *
   * @param lag gives the secret as it was before; now, by default
   * @throws {AwsError} ResourceNotFoundException
   */
  find(secretId: string, lag?: Lag): Secret
  /** As `find`, and refuses a secret that awaits deletion. @throws {AwsError} InvalidRequestException */
  findLiving(secretId: string, lag?: Lag): Secret
  named(name: string): Secret | undefined
  /** All secrets, those awaiting deletion included, oldest first. */
  all(): readonly Secret[]
  /** Stores a new state, and reports every label that has come to a version. */
  write(secret: Secret): void
  /** Stores what a read has left behind; not a write, so nothing is reported and no state is kept. */
  touch(secret: Secret): void
  remove(name: string): void
  arnOf(name: string): string
}

interface Earlier {
  readonly until: Date
  readonly secret: Secret | undefined
}

/**
 * The secrets of one account and region.
 *
 * @param stored what a state file held
 * @param changed told after every change, so that it can be made durable
 */
export function createSecretStore(
  stored: readonly Secret[],
  { now, random, region, accountId }: Surroundings,
  events: EventLog,
  changed: () => void,
): SecretStore {
  const secrets = new Map(stored.map((secret) => [secret.name, secret]))
  const earlier = new Map<string, Earlier[]>()
  const prefix = `arn:aws:secretsmanager:${region}:${accountId}:secret:`

  function remember(name: string): void {
    const states = earlier.get(name) ?? []
    states.push({ until: now(), secret: secrets.get(name) })
    earlier.set(name, states.slice(-statesKept))
  }

  function named(name: string): Secret | undefined {
    const secret = secrets.get(name)
    if (secret?.deletion === undefined || secret.deletion.dueAt > now()) return secret
    remove(name)
    return undefined
  }

  function remove(name: string): void {
    remember(name)
    secrets.delete(name)
    changed()
  }

  function all(): readonly Secret[] {
    return [...secrets.keys()].flatMap((name) => named(name) ?? [])
  }

  function nameOf(secretId: string): string {
    if (!secretId.startsWith('arn:')) return secretId
    const whole = all().find(({ arn }) => arn === secretId)
    return whole?.name ?? (secretId.startsWith(prefix) ? secretId.slice(prefix.length) : '')
  }

  function earlierState(name: string, lag: Lag): Earlier | undefined {
    const states = earlier.get(name) ?? []
    return 'writes' in lag
      ? states[Math.max(0, states.length - lag.writes)]
      : states.find(({ until }) => until.getTime() > now().getTime() - lag.milliseconds)
  }

  function find(secretId: string, lag?: Lag): Secret {
    const name = nameOf(secretId)
    const state = lag && earlierState(name, lag)
    const secret = state === undefined ? named(name) : state.secret
    if (secret !== undefined) return secret
    throw new AwsError(
      'ResourceNotFoundException',
      "Secrets Manager can't find the specified secret.",
    )
  }

  return {
    find,
    findLiving(secretId, lag) {
      const secret = find(secretId, lag)
      if (secret.deletion === undefined) return secret
      throw new AwsError(
        'InvalidRequestException',
        "You can't perform this operation on the secret because it was marked for deletion.",
      )
    },
    named,
    all,
    write(secret) {
      const before = secrets.get(secret.name)
      remember(secret.name)
      secrets.set(secret.name, secret)
      for (const label of movedLabels(before, secret)) {
        events.report('aws.secretsmanager', 'Secret Label Updated', [secret.arn], {
          name: secret.name,
          labelUpdated: label,
          versionId: holderOf(secret, label)?.id,
        })
      }
      changed()
    },
    touch(secret) {
      secrets.set(secret.name, secret)
      changed()
    },
    remove,
    arnOf: (name) => `${prefix}${name}-${drawCharacters(random, arnAlphabet, 6)}`,
  }
}

const arnAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/**
 * Labels whose version has changed, without the two that AWS sends no event for.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/secret-event-notifications.html
 */
function movedLabels(before: Secret | undefined, after: Secret): readonly string[] {
  return after.versions.flatMap(({ id, labels }) =>
    labels.filter(
      (label) =>
        label !== pending &&
        label !== previous &&
        (before === undefined || holderOf(before, label)?.id !== id),
    ),
  )
}
