import * as v from 'valibot'
import { AwsError } from './aws-error.ts'
import { type EventLog, eventTime } from './event-log.ts'
import { decode } from './input.ts'
import type { Operation } from './operation.ts'
import type { Surroundings } from './surroundings.ts'

/**
 * Bytes that the entries of one call have together.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
 */
const maxEntriesBytes = 1024 * 1024

const Entry = v.object({
  Time: v.optional(v.number()),
  Source: v.optional(v.string()),
  Resources: v.optional(v.array(v.string()), []),
  DetailType: v.optional(v.string()),
  Detail: v.optional(v.string()),
  EventBusName: v.optional(v.string(), 'default'),
  TraceHeader: v.optional(v.string()),
})
type Entry = v.InferOutput<typeof Entry>

const PutEvents = v.object({
  Entries: v.pipe(v.array(Entry), v.minLength(1), v.maxLength(10)),
})

/** PutEvents. A bad entry fails alone: it is counted, and the others are stored. */
export function eventBridge(events: EventLog, { now }: Surroundings): Record<string, Operation> {
  function put(entry: Entry): { EventId: string } | { ErrorCode: string; ErrorMessage: string } {
    const { Source: source, DetailType: detailType, Detail: detail } = entry
    if (!source) return missing('Source')
    if (!detailType) return missing('DetailType')
    if (!detail) return missing('Detail')
    if (source.startsWith('aws.')) {
      return {
        ErrorCode: 'NotAuthorizedForSourceException',
        ErrorMessage: 'Not authorized for the source.',
      }
    }
    const parsed = jsonObject(detail)
    if (parsed === undefined) {
      return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' }
    }
    const EventId = events.append({
      'detail-type': detailType,
      source,
      time: eventTime(entry.Time === undefined ? now() : new Date(entry.Time * 1000)),
      resources: entry.Resources,
      detail: parsed,
      // A bus may be named by its ARN.
      eventBusName: entry.EventBusName.replace(/^arn:.*:event-bus\//, ''),
    })
    return { EventId }
  }

  return {
    PutEvents(request) {
      const { Entries } = decode(PutEvents, request)
      if (Entries.reduce((sum, entry) => sum + sizeOf(entry), 0) >= maxEntriesBytes) {
        throw new AwsError(
          'ValidationException',
          'Total size of the entries in the request is over the limit.',
        )
      }
      const answers = Entries.map(put)
      return {
        FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length,
        Entries: answers,
      }
    },
  }
}

function missing(member: string): { ErrorCode: string; ErrorMessage: string } {
  return {
    ErrorCode: 'InvalidArgument',
    ErrorMessage: `Parameter ${member} is not valid. Reason: ${member} is a required argument.`,
  }
}

/** The size of an entry by AWS's own formula: its texts in UTF-8, and 14 bytes for a time. */
function sizeOf({ Time, Source, DetailType, Detail, Resources }: Entry): number {
  const texts = [Source ?? '', DetailType ?? '', Detail ?? '', ...Resources]
  return (Time === undefined ? 0 : 14) + Buffer.byteLength(texts.join(''))
}

function jsonObject(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
