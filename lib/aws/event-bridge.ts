import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { StoreError } from '../core/errors.ts'
import { eventSource } from '../core/events.ts'
import type { EventSink } from '../core/ports.ts'
import { storeCall } from './store-error.ts'

// PutEvents answers 200 and reports refused entries inside; a throttled entry is worth another try.
const tries = 3

/** Events on an EventBridge bus. `idempotencyKey` stands in the detail: delivery is at least once. */
export function eventBridgeSink(client: EventBridgeClient, busName: string): EventSink {
  return {
    emit: (event) =>
      storeCall('PutEvents', async (limit) => {
        let refused = 'nothing'
        for (let attempt = 0; attempt < tries; attempt++) {
          const { FailedEntryCount, Entries } = await client.send(
            new PutEventsCommand({
              Entries: [
                {
                  EventBusName: busName,
                  Source: eventSource,
                  DetailType: event.type,
                  Detail: JSON.stringify({ idempotencyKey: event.idempotencyKey, ...event.detail }),
                },
              ],
            }),
            limit,
          )
          if (FailedEntryCount === 0 || FailedEntryCount === undefined) return
          refused = Entries?.[0]?.ErrorCode ?? 'an unnamed error'
        }
        throw new StoreError(`PutEvents refused the entry with ${refused}`, 'retry')
      }),
  }
}
