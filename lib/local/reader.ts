import { setTimeout as sleep } from 'node:timers/promises'
import { createTokenSource, TokenUnavailableError } from '../consumer/index.ts'
import type { Http } from '../core/vendor.ts'

/** What a consumer has met so far. */
export interface Readings {
  reads: number
  /** Tokens that the consumer secret gave and the vendor refused. */
  deadReads: number
}

/** Statuses by which a vendor says that a token does not work; 408 is an older FTD's. */
const refusals = new Set([401, 403, 408])

/**
 * A workload that trusts its consumer secret: reads it anew each time and calls the vendor with what
 * it says, until told to stop. Counting starts with the first token issued since `since`: with a kept
 * state folder, what was published before belongs to simulators that are gone.
 */
export function startReader(
  connection: string,
  http: Http,
  call: { method: 'GET' | 'POST'; url: string; json?: unknown },
  everySeconds: number,
  since: Date,
): { readonly readings: Readings; readonly stop: () => Promise<void> } {
  const readings: Readings = { reads: 0, deadReads: 0 }
  const stopping = new AbortController()
  // Cached tokens would hide what the secret says at this moment.
  const source = createTokenSource(connection, { cacheSeconds: 0 })
  const loop = async () => {
    while (!stopping.signal.aborted) {
      try {
        const { headers, issuedAt } = await source.getToken()
        if (issuedAt < since) throw new TokenUnavailableError('not rotated since the start')
        const answer = await http.request({
          name: 'consumer',
          ...call,
          headers,
          timeoutSeconds: 10,
        })
        readings.reads++
        if (refusals.has(answer.status)) readings.deadReads++
      } catch (error) {
        // Before the first rotation there is nothing to read; nothing else may go wrong on loopback.
        if (!(error instanceof TokenUnavailableError)) readings.deadReads++
      }
      await sleep(everySeconds * 1000, undefined, { signal: stopping.signal }).catch(
        () => undefined,
      )
    }
  }
  const running = loop()
  return {
    readings,
    async stop() {
      stopping.abort()
      await running
      await http.close()
    },
  }
}
