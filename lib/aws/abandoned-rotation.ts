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

/** Runs that have written no version of the consumer secret: any other takes AWSPENDING along, or is to. */
const writesNothing: readonly Outcome['outcome'][] = ['unchanged', 'kept-alive', 'retired']

interface Look {
  readonly at: Date
  readonly empty: string | undefined
}

/**
 * Keeps a native rotation that was abandoned before it began from standing in the way of the next one:
 * its empty version holds AWSPENDING, and AWS refuses to rotate as long as it does. A run that publishes
 * takes the label along; but the next one may be days away, or publish nothing. So this looks at every
 * connection now and then, and takes the label off, by compare-and-swap, once the rotation has been
 * cancelled or an hour has passed. An order that stands in the ledger will be carried out as that version.
 *
 * @returns looks after a vendor's connections, given by their ids, once the runs of a tick are over; what
 *   it meets never fails the tick
 */
export function createHealer(
  client: SecretsManagerClient,
  { secrets, ledger, clock }: Pick<Ports, 'secrets' | 'ledger' | 'clock'>,
  vendor: string,
) {
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
    if ((await ledger.read(vendor, connection))?.ordered?.versionId === pending) return
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

  return async (connections: readonly string[], outcomes: readonly Outcome[]): Promise<void> => {
    const writing = outcomes.filter(({ outcome }) => !writesNothing.includes(outcome))
    const busy = new Set(writing.map(({ connection }) => connection))
    const quiet = connections.filter((connection) => !busy.has(connection))
    await Promise.all(quiet.map((connection) => heal(connection).catch(() => undefined)))
  }
}
