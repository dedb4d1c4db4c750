import { setTimeout as sleep } from 'node:timers/promises'
import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { StoreError } from '../core/errors.ts'
import { eventSource } from '../core/events.ts'
import type { EventSink } from '../core/ports.ts'
import { storeCall } from './store-error.ts'

// PutEvents answers 200 and reports refused entries inside; a throttled entry is worth another try, a
// little later. The lease is held meanwhile, so not much later.
const pausesMilliseconds = [100, 400]

/**
 * Events on an EventBridge bus. `idempotencyKey` stands in the detail: delivery is at least once.
 *
 * @param pause waits so many milliseconds
 */
export function eventBridgeSink(
  client: EventBridgeClient,
  busName: string,
  pause: (milliseconds: number) => Promise<unknown> = sleep,
): EventSink {
  return {
    emit: (event) =>
      storeCall('PutEvents', async (limit) => {
        let refused = 'nothing'
        for (const milliseconds of [0, ...pausesMilliseconds]) {
          if (milliseconds > 0) await pause(milliseconds)
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
