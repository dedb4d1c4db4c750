import { fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import type { Credentials } from '../aws/ports.ts'
import { clientSettings, isAccessDenied, storeCall } from '../aws/store-error.ts'
import { StoreError } from '../core/errors.ts'
import { UsageError } from './arguments.ts'

const roleArnForm = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/

/**
 * Takes a role by STS, with the credentials of the AWS command line, for an hour: longer than a command
 * lasts, so it is taken once, and before anything is asked of a person.
 *
 * @throws {UsageError} not the ARN of a role
 * @throws {StoreError} the role was refused, and what to allow; or STS did not answer
 */
export async function assumeRole(arn: string): Promise<Credentials> {
  if (!roleArnForm.test(arn)) {
    // Not repeated: somebody may have put a credential there.
    throw new UsageError(
      '--role: allowed is the ARN of a role, such as arn:aws:iam::111122223333:role/name',
    )
  }
  const takeRole = fromTemporaryCredentials({
    params: { RoleArn: arn, RoleSessionName: 'token-rotator' },
    clientConfig: clientSettings,
  })
  try {
    return await storeCall('AssumeRole', () => takeRole())
  } catch (error) {
    if (!isAccessDenied(error)) throw error
    throw new StoreError(
      `AssumeRole of ${arn} was denied; allow sts:AssumeRole on it in a policy of who you are to AWS`,
      'denied',
      { cause: error.cause },
    )
  }
}
