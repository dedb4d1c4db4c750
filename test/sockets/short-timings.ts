import { defaultTimings, type Timings } from '../../lib/core/renewal.ts'
import { compressed } from '../../lib/local/local-mode.ts'

/**
 * The engine's durations where a minute is too long to wait for: those of local mode at this speed,
 * and what a run is given for its own work cut down as well.
 *
 * @param patienceSeconds that a call which spends nothing waits for its answer
 */
export function shortTimings(speed: number, patienceSeconds: number): Timings {
  return {
    ...compressed(defaultTimings, speed),
    leaseSeconds: 3,
    leaseGraceSeconds: 0.3,
    persistReserveSeconds: 1,
    spendingPatienceSeconds: 1,
    idlePatienceSeconds: patienceSeconds,
    escrowAfterSeconds: 0.3,
    storeRetrySeconds: 0.05,
    backoffSeconds: [0.1, 0.2, 0.4, 0.8],
    keepAliveSeconds: 4,
  }
}
