import type { RefreshOnly } from './vendor.ts'

/**
 * Every error an operator can meet. Messages say what was found, what is allowed and what to do;
 * they never hold a token, a body, a header or a full URL. `code` is stable and made for `switch`.
 */
abstract class RotatorError extends Error {
  abstract readonly code: string
}

/** Whether a request whose answer is missing may have reached the vendor. */
export type Sent = 'no' | 'maybe'

/** A credential, option or environment variable of the wrong shape; `field` names it. Next: the operator. */
export class ConfigError extends RotatorError {
  override readonly name = 'ConfigError'
  readonly code = 'ERR_CONFIG'
  readonly field: string

  constructor(field: string, message: string, options?: ErrorOptions) {
    super(`${field}: ${message}`, options)
    this.field = field
  }
}

/** No HTTP answer. With `sent: 'no'` nothing can have been spent. Next: the next run, unless a token was spent. */
export class TransportError extends RotatorError {
  override readonly name = 'TransportError'
  readonly code = 'ERR_TRANSPORT'
  readonly sent: Sent
  /** What the server turned down in its half of the TLS handshake, if it said so by an alert. */
  readonly refused: 'client-certificate' | undefined

  constructor(
    message: string,
    sent: Sent,
    options?: ErrorOptions & { readonly refused?: 'client-certificate' },
  ) {
    super(message, options)
    this.sent = sent
    this.refused = options?.refused
  }
}

/**
 * An answer outside the vendor's documentation. Keeps the status and the names of the keys, never
 * the body. `spent: 'no'` only where the vendor's page says that nothing was consumed; `kept` is a
 * refresh token that stood in it all the same.
 */
export class ResponseError extends RotatorError {
  override readonly name = 'ResponseError'
  readonly code = 'ERR_RESPONSE'
  readonly status: number
  readonly spent: Sent
  readonly kept: RefreshOnly | undefined

  constructor(
    message: string,
    found: {
      status: number
      spent?: Sent
      keys?: readonly string[]
      kept?: RefreshOnly | undefined
    },
    options?: ErrorOptions,
  ) {
    const keys = found.keys === undefined ? '' : `, keys: ${found.keys.join(', ') || 'none'}`
    super(`${message} (status ${found.status}${keys})`, options)
    this.status = found.status
    this.spent = found.spent ?? 'maybe'
    this.kept = found.kept
  }
}

/**
 * The vendor said no: what was presented is dead. `reason` is the OAuth error code or its nearest;
 * `status` is undefined if TLS said it, before HTTP. Next: `enroll`.
 */
export class GrantRefusedError extends RotatorError {
  override readonly name = 'GrantRefusedError'
  readonly code = 'ERR_GRANT_REFUSED'
  readonly reason: string
  readonly status: number | undefined

  constructor(message: string, found: { reason: string; status?: number }, options?: ErrorOptions) {
    const status = found.status === undefined ? '' : `, status ${found.status}`
    super(`${message} (${found.reason}${status})`, options)
    this.reason = found.reason
    this.status = found.status
  }
}

/**
 * A new token does not work, or it could not be found out. `rejected` is true only if the vendor
 * itself refused the token. Next: the next run asks again.
 */
export class VerifyFailedError extends RotatorError {
  override readonly name = 'VerifyFailedError'
  readonly code = 'ERR_VERIFY_FAILED'
  readonly rejected: boolean

  constructor(message: string, rejected: boolean, options?: ErrorOptions) {
    super(message, options)
    this.rejected = rejected
  }
}

/** Another run is active, or this one has lost its lease. Benign: nothing was sent. */
export class LeaseHeldError extends RotatorError {
  override readonly name = 'LeaseHeldError'
  readonly code = 'ERR_LEASE_HELD'
}

/**
 * Secrets Manager, DynamoDB or Parameter Store failed. `kind` tells what to do about it:
 * `retry` may pass by itself, `limit` is the version quota, `denied` wants the operator.
 */
export class StoreError extends RotatorError {
  override readonly name = 'StoreError'
  readonly code = 'ERR_STORE'
  readonly kind: 'retry' | 'limit' | 'denied'

  constructor(message: string, kind: 'retry' | 'limit' | 'denied', options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** A token was spent and there is no answer, or no store took the answer. Next: a person is paged. */
export class TokenAtRiskError extends RotatorError {
  override readonly name = 'TokenAtRiskError'
  readonly code = 'ERR_TOKEN_AT_RISK'
}

/** For an exhaustive `switch` on `code`. */
export type AnyRotatorError =
  | ConfigError
  | TransportError
  | ResponseError
  | GrantRefusedError
  | VerifyFailedError
  | LeaseHeldError
  | StoreError
  | TokenAtRiskError

/** Whether an error is one of ours, so that its message is fit to be shown. */
export function isRotatorError(error: unknown): error is AnyRotatorError {
  return error instanceof RotatorError
}

/**
 * Whether the request that ended in `error` may have used up what it presented. An error of unknown
 * origin counts as yes: a rotator that guesses wrong here spends a token twice.
 */
export function mayHaveSpent(error: unknown): boolean {
  if (!isRotatorError(error)) return true
  switch (error.code) {
    case 'ERR_TRANSPORT':
      return error.sent === 'maybe'
    case 'ERR_RESPONSE':
      return error.spent === 'maybe'
    case 'ERR_GRANT_REFUSED':
      return true
    case 'ERR_CONFIG':
    case 'ERR_LEASE_HELD':
    case 'ERR_STORE':
    case 'ERR_VERIFY_FAILED':
      return false
    case 'ERR_TOKEN_AT_RISK':
      return true
  }
}

/** What a log line, the ledger and an event say of an error: its code and message, or its class alone. */
export function describeError(error: unknown): { code: string; message: string } {
  if (isRotatorError(error)) return { code: error.code, message: error.message }
  // Foreign messages are withheld: a network library may put the URL, and so a token, into them.
  const kind = error instanceof Error ? error.name : typeof error
  return { code: 'ERR_UNEXPECTED', message: `unexpected ${kind}` }
}
