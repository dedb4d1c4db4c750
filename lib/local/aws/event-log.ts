import type { StoredEvent } from './state.ts'
import { drawUuid, type Surroundings } from './surroundings.ts'

/** Events kept; the oldest go first. */
const eventsKept = 1000

export interface EventLog {
  /** Stores an event and gives its id. */
  append(event: Omit<StoredEvent, 'version' | 'id' | 'account' | 'region'>): string
  /** Stores an event that a service sends by itself, to the default bus. */
  report(source: string, detailType: string, resources: readonly string[], detail: unknown): void
  all(): readonly StoredEvent[]
}

/** The last 1,000 events that were put on any bus. No rule or target is played. */
export function createEventLog(
  stored: readonly StoredEvent[],
  { now, random, region, accountId }: Surroundings,
  changed: () => void,
): EventLog {
  let events = stored

  const append: EventLog['append'] = (event) => {
    const id = drawUuid(random)
    events = [...events, { version: '0' as const, id, account: accountId, region, ...event }]
    events = events.slice(-eventsKept)
    changed()
    return id
  }

  return {
    append,
    report(source, detailType, resources, detail) {
      const time = eventTime(now())
      append({
        'detail-type': detailType,
        source,
        time,
        resources: [...resources],
        detail,
        eventBusName: 'default',
      })
    },
    all: () => events,
  }
}

/** An instant as events carry it: ISO 8601 in UTC, whole seconds. */
export function eventTime(instant: Date): string {
  return instant.toISOString().replace(/\.\d{3}Z$/, 'Z')
}
