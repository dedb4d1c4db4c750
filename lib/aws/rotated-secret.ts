import { DescribeSecretCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { storeCall } from './store-error.ts'

/** What Secrets Manager says of a secret that it rotates. No value. */
export interface RotatedSecret {
  readonly name: string
  readonly isEnabled: boolean
  /** Labels by version id. A version without a label is not shown. */
  readonly stages: Readonly<Record<string, readonly string[]>>
}

/** @throws {StoreError} `denied`: no such secret, or one that is not this function's */
export function describeRotated(
  client: SecretsManagerClient,
  secretId: string,
): Promise<RotatedSecret> {
  return storeCall('DescribeSecret', async (limit) => {
    const command = new DescribeSecretCommand({ SecretId: secretId })
    const { Name = '', RotationEnabled, VersionIdsToStages } = await client.send(command, limit)
    return { name: Name, isEnabled: RotationEnabled === true, stages: VersionIdsToStages ?? {} }
  })
}

/** The version that a label is on. */
export function versionWith(label: string, { stages }: RotatedSecret): string | undefined {
  return Object.keys(stages).find((id) => stages[id]?.includes(label))
}
