import type { RotatorEvent } from '../../lib/core/events.ts'
import type { Cause } from '../../lib/core/incident.ts'

/** What a person who is paged makes of it. */
export type Heard =
  /** Nobody is asked for anything. */
  | 'nothing'
  | 'news'
  /** Under the same key it is the same message: whoever delivers drops it. */
  | 'delivered again'
  /** The same cause under another key, before the incident was over. */
  | 'told again'

/** The causes that a person has been told of since all was last well. */
export class Pages {
  private readonly keys = new Map<Cause, string>()

  hears({ type, idempotencyKey, detail: { cause } }: RotatorEvent): Heard {
    if (type === 'Token Recovered') this.forget()
    if (cause === undefined) return 'nothing'
    const known = this.keys.get(cause)
    this.keys.set(cause, idempotencyKey)
    if (known === undefined) return 'news'
    return known === idempotencyKey ? 'delivered again' : 'told again'
  }

  /** What is told from now on is news. @param causes default: all */
  forget(causes: Iterable<Cause> = [...this.keys.keys()]) {
    for (const cause of causes) this.keys.delete(cause)
  }

  areOpen(): boolean {
    return this.keys.size > 0
  }
}
