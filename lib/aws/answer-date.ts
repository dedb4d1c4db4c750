import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { SetClock } from '../core/clock.ts'

/** Sets a clock by the `Date` of every answer that a client gets. One without it sets nothing. */
export function setByAnswers(clock: SetClock, client: DynamoDBClient): void {
  client.middlewareStack.add(
    (next) => async (request) => {
      const sentAt = new Date()
      const answer = await next(request)
      const at = dateOf(answer.response)
      if (at !== undefined) clock.set({ at, sentAt, receivedAt: new Date() })
      return answer
    },
    // Next to the wire: it sees every try's answer, refusals included.
    { step: 'deserialize', name: 'setByAnswers', priority: 'low' },
  )
}

function dateOf(response: unknown): Date | undefined {
  const { headers } = Object(response) as { headers?: Record<string, string> }
  const at = new Date(headers?.date ?? '')
  return Number.isNaN(at.getTime()) ? undefined : at
}
