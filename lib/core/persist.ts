import {
  type Enrollment,
  encodeEnrollment,
  encodeEscrow,
  enrollmentSecretId,
  type Issued,
} from './documents.ts'
import { describeError, StoreError, TokenAtRiskError } from './errors.ts'
import type { Clock, Parameters, SecretStore } from './ports.ts'
import { escrowName } from './read-held.ts'
import { earliest, later, type Timings } from './renewal.ts'

/** Where a pair has arrived; `conflict`: another run has already written this version. */
export type Persisted = 'secret' | 'escrow' | 'conflict'

/**
 * Brings a pair to safety: the enrollment secret first; if that has not acknowledged it after a
 * second, or as soon as it refuses it, be it for a moment, the escrow as well, both tried until the deadline.
 *
 *     put ──ack──────────────────────────────► secret
 *      └─ 1 s without ack, or refused ─► escrow ─► escrow (put goes on until the deadline)
 *         or another's version is there ─► escrow ─► conflict: the next look finds both
 *
 * @throws {TokenAtRiskError} neither took it in time
 */
export async function persist(
  enrollment: Enrollment & { readonly tokens: Issued },
  basedOn: string,
  context: {
    connection: { id: string; vendor: string }
    deadline: Date
    secrets: SecretStore
    parameters: Parameters
    clock: Clock
    timings: Timings
  },
): Promise<Persisted> {
  const { connection, deadline, secrets, parameters, clock, timings } = context
  const secretId = enrollmentSecretId(connection.id)
  const text = encodeEnrollment(enrollment, {
    connection: connection.id,
    vendor: connection.vendor,
  })
  const version = { versionId: enrollment.versionId, text }

  // Once the escrow has the pair, Secrets Manager gets a moment more: consumers are waiting.
  let isSafe = false
  const enough = later(clock.now(), timings.persistReserveSeconds / 4)
  const patience = {
    clock,
    timings,
    get deadline() {
      return isSafe ? (earliest(enough, deadline) ?? deadline) : deadline
    },
  }
  let early: 'stored' | 'conflict' | undefined
  let refuse = () => {}
  const refused = new Promise<void>((resolve) => {
    refuse = resolve
  })
  const put = untilDeadline(() => {
    const trying = secrets.put(secretId, version, 'pending')
    trying.catch(refuse)
    return trying
  }, patience)
  const answered = put.then(
    (result) => {
      early = result
    },
    () => undefined,
  )
  await Promise.race([answered, refused, clock.sleep(timings.escrowAfterSeconds)])
  if (early === 'stored') return 'secret'

  const pair = { basedOn, tokens: enrollment.tokens, superseded: enrollment.superseded }
  const escrow = untilDeadline(async () => {
    await parameters.write(escrowName(connection.id), encodeEscrow(pair))
    isSafe = true
  }, context)
  const [inSecret, inEscrow] = await Promise.allSettled([put, escrow])
  if (inSecret.status === 'fulfilled' && inSecret.value === 'stored') return 'secret'
  if (inEscrow.status === 'fulfilled') {
    return inSecret.status === 'fulfilled' ? 'conflict' : 'escrow'
  }
  const refusal = inSecret.status === 'rejected' ? inSecret.reason : undefined
  throw new TokenAtRiskError(
    `neither Secrets Manager (${refusal === undefined ? 'another version is there' : describeError(refusal).message}) nor the escrow (${describeError(inEscrow.reason).message}) took the new pair before ${deadline.toISOString()}`,
    { cause: inEscrow.reason },
  )
}

/**
 * Repeats a store call while it may pass by itself and the run has time left.
 *
 * @throws {StoreError} what the last try met
 */
export function untilRunEnds<T>(
  call: () => Promise<T>,
  { ports, ledger }: { ports: Omit<Patience, 'deadline'>; ledger: { readonly deadline: Date } },
): Promise<T> {
  const { clock, timings } = ports
  return untilDeadline(call, { clock, timings, deadline: ledger.deadline })
}

interface Patience {
  /** Asked anew at every try: what is enough may change meanwhile. */
  readonly deadline: Date
  readonly clock: Clock
  readonly timings: Timings
}

/**
 * Repeats a store call while it may pass by itself and time is left.
 *
 * @throws {StoreError} what the last try met
 */
export async function untilDeadline<T>(call: () => Promise<T>, patience: Patience): Promise<T> {
  const { clock, timings } = patience
  for (;;) {
    try {
      return await call()
    } catch (error) {
      const passing = error instanceof StoreError && error.kind === 'retry'
      if (!passing || later(clock.now(), timings.storeRetrySeconds) >= patience.deadline)
        throw error
      await clock.sleep(timings.storeRetrySeconds)
    }
  }
}
