import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { whole } from './input.ts'

/** A fault to play on coming calls of one operation, such as `PutSecretValue` or `UpdateItem`. */
export const Fault = v.intersect([
  v.object({
    operation: v.pipe(v.string(), v.minLength(1)),
    /** Calls to strike. @default 1 */
    times: v.optional(whole(1, 1_000_000), 1),
    /** Calls to let pass first. @default 0 */
    skip: v.optional(whole(0, 1_000_000), 0),
  }),
  v.variant('kind', [
    /** ThrottlingException; nothing happens. */
    v.object({ kind: v.literal('throttle') }),
    /** The service's own failure, HTTP 500; nothing happens. */
    v.object({ kind: v.literal('internal-error') }),
    v.object({ kind: v.literal('limit-exceeded') }),
    v.object({ kind: v.literal('access-denied') }),
    /** The connection is dropped before anything happens. */
    v.object({ kind: v.literal('drop-before') }),
    /** Everything happens, then the connection is dropped instead of an answer. */
    v.object({ kind: v.literal('lost-ack') }),
    /** The call waits before anything happens. */
    v.object({ kind: v.literal('delay'), milliseconds: whole(0, 3_600_000) }),
    /** GetSecretValue and BatchGetSecretValue answer as before the last writes to that secret. */
    v.object({ kind: v.literal('stale-read'), writes: v.optional(whole(1, 16), 1) }),
  ]),
])

/** A fault as one writes it. */
export type Fault = v.InferInput<typeof Fault>
export type ArmedFault = v.InferOutput<typeof Fault>

export interface Faults {
  /** @throws {v.ValiError} not a fault */
  inject(fault: unknown): void
  clear(): void
  /** The fault that strikes this call, if any; of several, the one injected first. */
  strike(operation: string): ArmedFault | undefined
}

export function createFaults(): Faults {
  let armed: ArmedFault[] = []
  return {
    inject(fault) {
      armed.push(v.parse(Fault, fault))
    },
    clear() {
      armed = []
    },
    strike(operation) {
      const fault = armed.find((each) => each.operation === operation)
      if (fault === undefined) return undefined
      if (fault.skip > 0) {
        fault.skip -= 1
        return undefined
      }
      fault.times -= 1
      if (fault.times === 0) armed = armed.filter((each) => each !== fault)
      return fault
    },
  }
}

/** The name that each service gives to a failure of its own. */
export type InternalErrorName = 'InternalServiceError' | 'InternalServerError' | 'InternalException'

/** The error that a fault answers with; undefined for faults that are not errors. */
export function errorOf(fault: ArmedFault, internal: InternalErrorName): AwsError | undefined {
  switch (fault.kind) {
    case 'throttle':
      return new AwsError('ThrottlingException', 'Rate exceeded')
    case 'internal-error':
      return new AwsError(internal, 'An error occurred on the server side.', 500)
    case 'limit-exceeded':
      return new AwsError('LimitExceededException', 'The request exceeds a limit of this service.')
    case 'access-denied':
      return new AwsError(
        'AccessDeniedException',
        `User is not authorized to perform: ${fault.operation}`,
      )
    case 'drop-before':
    case 'lost-ack':
    case 'delay':
    case 'stale-read':
      return undefined
  }
}
