import {
  DeleteParameterCommand,
  GetParameterCommand,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm'
import type { Parameters } from '../core/ports.ts'
import { nameOf, storeCall } from './store-error.ts'

/**
 * Encrypted parameters. A standard one holds 4 KB; a longer pair makes it an advanced one (8 KB) by
 * itself.
 *
 * @param keyId key to encrypt with; the account's `alias/aws/ssm` by default, which is not the secrets' key
 */
export function parameterStore(client: SSMClient, keyId?: string): Parameters {
  return {
    read: (name) =>
      storeCall('GetParameter', async (limit) => {
        try {
          const command = new GetParameterCommand({ Name: name, WithDecryption: true })
          return (await client.send(command, limit)).Parameter?.Value
        } catch (error) {
          if (nameOf(error) === 'ParameterNotFound') return undefined
          throw error
        }
      }),
    write: (name, text) =>
      storeCall('PutParameter', async (limit) => {
        await client.send(
          new PutParameterCommand({
            Name: name,
            Value: text,
            Type: 'SecureString',
            Tier: 'Intelligent-Tiering',
            Overwrite: true,
            ...(keyId === undefined ? {} : { KeyId: keyId }),
          }),
          limit,
        )
      }),
    remove: (name) =>
      storeCall('DeleteParameter', async (limit) => {
        try {
          await client.send(new DeleteParameterCommand({ Name: name }), limit)
        } catch (error) {
          if (nameOf(error) !== 'ParameterNotFound') throw error
        }
      }),
  }
}
