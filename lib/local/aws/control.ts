import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { type ArmedFault, Fault, type Faults } from './faults.ts'
import type { StoredEvent } from './state.ts'
import { type Answer, jsonAnswer, readJsonBody } from './wire.ts'

export interface Controlled {
  readonly instance: string
  readonly faults: Faults
  readonly events: () => readonly StoredEvent[]
  readonly calls: () => Readonly<Record<string, number>>
}

/**
 * What the endpoint offers beside AWS, for tests that run in another process:
 *
 * | request | answer |
 * | --- | --- |
 * | `GET /_local/health` | which endpoint this is |
 * | `GET /_local/events` | the events stored, oldest first |
 * | `GET /_local/calls` | how often each operation was called |
 * | `POST /_local/faults` | arms one fault, given as JSON |
 * | `DELETE /_local/faults` | disarms all |
 *
 * @throws {AwsError} anything else, or not a fault
 */
export function control(request: string, body: Buffer, controlled: Controlled): Answer {
  const { instance, faults, events, calls } = controlled
  switch (request) {
    case 'GET /_local/health':
      return json({ instance })
    case 'GET /_local/events':
      return json(events())
    case 'GET /_local/calls':
      return json(calls())
    case 'POST /_local/faults':
      faults.inject(readFault(readJsonBody(body)))
      return { status: 204, headers: {}, body: '' }
    case 'DELETE /_local/faults':
      faults.clear()
      return { status: 204, headers: {}, body: '' }
    default:
      throw new AwsError(
        'UnknownOperationException',
        `${request} is not known; allowed are GET /_local/health, /_local/events and /_local/calls, POST and DELETE /_local/faults`,
        404,
      )
  }
}

function json(output: object): Answer {
  return jsonAnswer(output, 'application/json')
}

function readFault(input: unknown): ArmedFault {
  const result = v.safeParse(Fault, input)
  if (result.success) return result.output
  const [issue] = result.issues
  throw new AwsError('ValidationException', `${v.getDotPath(issue) ?? 'fault'}: ${issue.message}`)
}
