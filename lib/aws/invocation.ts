import * as v from 'valibot'
import { ConfigError } from '../core/errors.ts'

const Step = v.picklist(['createSecret', 'setSecret', 'testSecret', 'finishSecret'])

const RotationEvent = v.object({
  Step,
  /** ARN of the secret, as Secrets Manager sends it; a name does as well. */
  SecretId: v.pipe(v.string(), v.nonEmpty()),
  /** Id of the version that the rotation is to make current. */
  ClientRequestToken: v.pipe(v.string(), v.minLength(32), v.maxLength(64)),
  /** To be given back with the version. Not to be shown. */
  RotationToken: v.optional(v.string()),
})

/** One step of Secrets Manager's own rotation. */
export type RotationEvent = v.InferOutput<typeof RotationEvent>

// EventBridge Scheduler's own event; a rule on a schedule says `aws.events`.
const TickEvent = v.object({ 'detail-type': v.literal('Scheduled Event') })

/**
 * Tells a step of a rotation from a tick of the schedule, whose event says nothing that the ledger does
 * not know better; an empty one counts as a tick, too.
 *
 * @returns the step, or `tick`
 * @throws {ConfigError} anything else: an event of another source must not set off a run unnoticed
 */
export function readInvocation(event: unknown): RotationEvent | 'tick' {
  if (typeof event === 'object' && event !== null && 'Step' in event) {
    const step = v.safeParse(RotationEvent, event)
    if (step.success) return step.output
    const field = v.getDotPath(step.issues[0]) ?? 'event'
    throw new ConfigError(
      field,
      `has the wrong shape for a step of a rotation; allowed is what Secrets Manager sends: Step (${Step.options.join(', ')}), SecretId, ClientRequestToken`,
    )
  }
  if (v.is(TickEvent, event) || v.is(v.strictObject({}), event)) return 'tick'
  throw new ConfigError(
    'event',
    'is of no source that this function is for; allowed are the event of a schedule, {}, and a step of a rotation by Secrets Manager',
  )
}
