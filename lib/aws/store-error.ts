import { isRotatorError, StoreError } from '../core/errors.ts'
import { agents } from './connections.ts'

/** Names of AWS errors that no repetition mends. */
const denied = new Set([
  'AccessDeniedException',
  'AccessDenied',
  'DecryptionFailure',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'InvalidParameterException',
  'InvalidRequestException',
  'InvalidSignatureException',
  'KMSAccessDeniedException',
  'NotAuthorized',
  'ParameterMaxVersionLimitExceeded',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
  'ValidationException',
])

/** What every command of a call is sent with. */
export interface Limit {
  readonly abortSignal: AbortSignal
}

// Both of the SDK's tries fit. Its own time-outs end where an answer begins: a body that comes byte by
// byte would be waited for until the function is ended from outside.
const callMilliseconds = 12_000

/**
 * Runs one AWS call, for twelve seconds at most; whatever it throws becomes a `StoreError` that names
 * the call and the error, no more.
 */
export async function storeCall<T>(call: string, run: (limit: Limit) => Promise<T>): Promise<T> {
  try {
    return await run({ abortSignal: AbortSignal.timeout(callMilliseconds) })
  } catch (error) {
    if (isRotatorError(error)) throw error
    const name = nameOf(error)
    const kind = name === 'LimitExceededException' ? 'limit' : denied.has(name) ? 'denied' : 'retry'
    throw new StoreError(`${call} failed with ${name}`, kind, { cause: new AwsCallError(error) })
  }
}

/**
 * What AWS or its SDK threw, without the message: a validation error quotes what was sent, a parser's
 * what was received.
 */
class AwsCallError extends Error {
  override readonly name = 'AwsCallError'
  readonly isAccessDenied: boolean

  constructor(error: unknown) {
    const { $metadata } = Object(error) as { $metadata?: { requestId?: string } }
    const request = $metadata?.requestId === undefined ? '' : `, request ${$metadata.requestId}`
    super(`${nameOf(error)}${request}`)
    this.isAccessDenied = /^AccessDenied(Exception)?$/.test(nameOf(error))
  }
}

/** Whether a store call failed because a policy does not let the caller make it. */
export function isAccessDenied(error: unknown): error is StoreError {
  if (!(error instanceof StoreError)) return false
  return error.cause instanceof AwsCallError && error.cause.isAccessDenied
}

/** The error's name as AWS gives it; of a connection that failed, the system's, e.g. `ECONNREFUSED`. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown error'
  const { code } = error as NodeJS.ErrnoException
  const isSystem =
    ['Error', 'AggregateError'].includes(error.name) && /^E[A-Z_]{2,30}$/.test(code ?? '')
  return isSystem && code !== undefined ? code : error.name
}

/**
 * What every client is built with. Repetition is the engine's, so the SDK itself makes few tries, and
 * a call that hangs must not eat the time in which the pair could go elsewhere.
 */
export const clientSettings = {
  maxAttempts: 2,
  requestHandler: {
    ...agents,
    connectionTimeout: 2000,
    requestTimeout: 5000,
    throwOnRequestTimeout: true,
  },
}
