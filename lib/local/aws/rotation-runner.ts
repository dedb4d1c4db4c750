import { setTimeout as sleep } from 'node:timers/promises'
import type { SecretStore } from './secret-store.ts'
import { current, holderOf, withoutPending } from './secret-versions.ts'
import type { Secret } from './state.ts'
import { drawUuid, type Surroundings } from './surroundings.ts'

const allSteps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const

/** What Secrets Manager invokes a rotation function with, once for each step. */
export interface RotationEvent {
  readonly Step: (typeof allSteps)[number]
  /** ARN of the secret. */
  readonly SecretId: string
  /** Id of the version that the rotation is to make current. */
  readonly ClientRequestToken: string
  readonly RotationToken: string
}

/** A Lambda function; whatever it throws is a step that has failed. */
export type RotationFunction = (event: RotationEvent) => Promise<unknown>

export interface RotationRunner {
  readonly knows: (lambdaArn: string) => boolean
  readonly provide: (lambdaArn: string, invoke: RotationFunction) => void
  /** Goes through the four steps in the background; not beside itself. */
  readonly rotate: (name: string, versionId: string) => void
  /** Goes through testSecret alone, and then takes the version away that stands in for a new one. */
  readonly test: (name: string, versionId: string) => void
  /** Resolves when nothing is under way. */
  readonly settled: () => Promise<void>
  readonly stop: () => void
}

// "Several times", says the guide of a rotation whose step fails.
const attempts = 3

/**
 * Invokes rotation functions as Secrets Manager does: step by step, from the first one again when one
 * fails, until rotation is switched off or it has been tried a few times.
 *
 * @param retryMilliseconds pause before a rotation is tried again
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
 */
export function createRotationRunner(
  store: SecretStore,
  { now, random }: Surroundings,
  retryMilliseconds: number,
): RotationRunner {
  const functions = new Map<string, RotationFunction>()
  const underWay = new Map<string, Promise<void>>()
  const stopping = new AbortController()

  /** The secret, as long as somebody still wants it rotated. */
  const wanted = (name: string): Secret | undefined => {
    const secret = stopping.signal.aborted ? undefined : store.named(name)
    return secret?.rotation?.enabled && secret.deletion === undefined ? secret : undefined
  }

  /** @returns whether every step has been answered without an error */
  async function went(
    name: string,
    steps: readonly RotationEvent['Step'][],
    ClientRequestToken: string,
  ): Promise<boolean> {
    const RotationToken = drawUuid(random)
    for (const Step of steps) {
      const secret = wanted(name)
      const invoke = functions.get(secret?.rotation?.lambdaArn ?? '')
      if (secret === undefined || invoke === undefined) return false
      try {
        await invoke({ Step, SecretId: secret.arn, ClientRequestToken, RotationToken })
      } catch {
        return false
      }
    }
    return true
  }

  /** A rotation counts once its version is current; AWSPENDING is then taken off by the service. */
  function completed(name: string, versionId: string): boolean {
    const secret = wanted(name)
    if (secret?.rotation === undefined || holderOf(secret, current)?.id !== versionId) return false
    const rotation = { ...secret.rotation, lastRotatedAt: now() }
    store.write({ ...withoutPending(secret, versionId), rotation })
    return true
  }

  async function rotation(name: string, versionId: string): Promise<void> {
    for (let attempt = 1; attempt <= attempts && wanted(name) !== undefined; attempt++) {
      if ((await went(name, allSteps, versionId)) && completed(name, versionId)) return
      if (attempt === attempts) return
      await sleep(retryMilliseconds, null, stopping).catch(() => undefined)
    }
  }

  async function test(name: string, versionId: string): Promise<void> {
    await went(name, ['testSecret'], versionId)
    const secret = store.named(name)
    if (secret === undefined) return
    const versions = secret.versions.filter(({ id }) => id !== versionId)
    store.write({ ...secret, versions })
  }

  function begin(key: string, work: () => Promise<void>): void {
    if (underWay.has(key)) return
    // Not before the call that began it has been answered.
    const running = new Promise(setImmediate).then(work).finally(() => underWay.delete(key))
    underWay.set(key, running)
  }

  return {
    knows: (lambdaArn) => functions.has(lambdaArn),
    provide: (lambdaArn, invoke) => void functions.set(lambdaArn, invoke),
    rotate: (name, versionId) => begin(`${name} ${versionId}`, () => rotation(name, versionId)),
    test: (name, versionId) => begin(`${name} ${versionId}`, () => test(name, versionId)),
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay.values())
    },
    stop: () => stopping.abort(),
  }
}
