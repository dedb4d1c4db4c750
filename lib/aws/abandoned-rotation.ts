import {
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { consumerSecretId } from '../core/documents.ts'
import type { Outcome } from '../core/release.ts'
import type { Ports } from '../core/run.ts'
import { describeRotated, versionWith } from './rotated-secret.ts'
import { storeCall } from './store-error.ts'

// A rotation takes minutes at most; one that is as it was at the last look is under way no more.
const lookEverySeconds = 3600

/** Runs that have written no version of the consumer secret: any other takes AWSPENDING along. */
const writesNothing: readonly Outcome['outcome'][] = ['unchanged', 'kept-alive', 'retired']

interface Look {
  readonly at: Date
  readonly empty: string | undefined
}

/**
 * Keeps a native rotation that was abandoned before it began from standing in the way of the next one:
 * its empty version holds AWSPENDING, and AWS refuses to rotate as long as it does. A run that publishes
 * takes the label along; for the others this takes it off, by compare-and-swap, once the rotation has
 * been cancelled or an hour has passed.
 *
 * @returns looks after the runs of one tick; what it meets never fails the tick
 */
export function createHealer(client: SecretsManagerClient, { secrets, clock }: Ports) {
  const looks = new Map<string, Look>()

  async function heal(connection: string): Promise<void> {
    const before = looks.get(connection)
    const now = clock.now()
    if (before && now.getTime() < before.at.getTime() + lookEverySeconds * 1000) return
    looks.set(connection, { at: now, empty: undefined })
    const secretId = consumerSecretId(connection)
    const secret = await describeRotated(client, secretId)
    const pending = versionWith('AWSPENDING', secret)
    const isSettled = pending === undefined || pending === versionWith('AWSCURRENT', secret)
    if (isSettled || (await secrets.read(secretId, pending)) !== undefined) return
    looks.set(connection, { at: now, empty: pending })
    if (secret.isEnabled && before?.empty !== pending) return
    await storeCall('UpdateSecretVersionStage', (limit) =>
      client.send(
        new UpdateSecretVersionStageCommand({
          SecretId: secretId,
          VersionStage: 'AWSPENDING',
          RemoveFromVersionId: pending,
        }),
        limit,
      ),
    )
  }

  return async (outcomes: readonly Outcome[]): Promise<void> => {
    const quiet = outcomes.filter(({ outcome }) => writesNothing.includes(outcome))
    await Promise.all(quiet.map(({ connection }) => heal(connection).catch(() => undefined)))
  }
}
