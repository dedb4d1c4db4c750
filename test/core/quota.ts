import { StoreError } from '../../lib/core/errors.ts'
import type { SecretStore } from '../../lib/core/ports.ts'
import { AwsError } from '../../lib/local/aws/aws-error.ts'
import { addVersion, type VersionLimits } from '../../lib/local/aws/secret-versions.ts'
import type { Secret } from '../../lib/local/aws/state.ts'

/**
 * A store of which one secret counts its versions as Secrets Manager does, by either reading of the
 * quota: the embedded endpoint's own rules, without sockets and in virtual time.
 *
 * @param secretId the secret that counts
 */
export function withQuota(
  store: SecretStore,
  secretId: string,
  quota: VersionLimits['quota'],
  now: () => Date,
) {
  const limits = { quota, windowSeconds: 86_400 }
  let refused = 0
  let secret: Secret = {
    arn: `arn:aws:secretsmanager:us-east-1:123456789012:secret:${secretId}`,
    name: secretId,
    createdAt: now(),
    lastChangedAt: now(),
    tags: [],
    versions: [],
  }
  const put: SecretStore['put'] = async (id, version, label) => {
    if (id === secretId) {
      const content = { string: version.text }
      const added = { id: version.versionId, content, labels: undefined, settlesPending: false }
      try {
        secret = addVersion(secret, added, limits, now())
      } catch (error) {
        if (!(error instanceof AwsError)) throw error
        refused++
        throw new StoreError(`PutSecretValue failed with ${error.code}`, 'limit')
      }
    }
    return store.put(id, version, label)
  }
  return { ...store, put, refused: () => refused, versions: () => secret.versions.length }
}
