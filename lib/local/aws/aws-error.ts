/**
 * An error as an AWS service answers it: its name goes out as `__type`, with HTTP status 400 unless
 * the fault is the service's own. ResourceNotFoundException is a 400 too.
 *
 * The message is sent to the client and may be logged there: it never quotes what a request carried
 * in a secret's value.
 */
export class AwsError extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}
