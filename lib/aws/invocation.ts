import * as v from 'valibot'
import { ConfigError } from '../core/errors.ts'

// EventBridge Scheduler's own event; a rule on a schedule says `aws.events`.
const TickEvent = v.object({ 'detail-type': v.literal('Scheduled Event') })

/**
 * Takes the event of a schedule, which says nothing that the ledger does not know better; an empty one
 * counts as a tick, too.
 *
 * @throws {ConfigError} anything else: an event of another source must not set off a run unnoticed
 */
export function readInvocation(event: unknown): 'tick' {
  if (v.is(TickEvent, event) || v.is(v.strictObject({}), event)) return 'tick'
  throw new ConfigError(
    'event',
    'is of no source that this function is for; allowed are the event of a schedule and {}',
  )
}
