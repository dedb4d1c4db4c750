import { consumerSecretId, type Enrollment, encodeConsumer } from './documents.ts'
import {
  describeError,
  isRotatorError,
  LeaseHeldError,
  StoreError,
  VerifyFailedError,
} from './errors.ts'
import type { LedgerItem } from './ledger.ts'
import { untilDeadline } from './persist.ts'
import type { Ending } from './release.ts'
import { earliest, later, nearlyOutAt, renewAt, type Timings, withinWindow } from './renewal.ts'
import type { Context } from './run.ts'
import type { Call, TokenSet, VendorClient, Verified } from './vendor.ts'
import { publicationId } from './version-id.ts'

/** A document whose tokens are whole. */
export type Held = Enrollment & { readonly tokens: TokenSet }

/**
 * Verify, then publish, so that no consumer meets a token that nobody has tried.
 *
 * @returns the given outcome, or that of a run that held the token back or could not place it
 * @throws {StoreError}
 */
export async function verifyAndPublish(
  held: Held,
  client: VendorClient,
  outcome: Ending['outcome'],
  context: Context,
): Promise<Ending> {
  const { ports, ledger, run } = context
  const call = { now: ports.clock.now(), timeoutSeconds: ports.timings.idlePatienceSeconds }
  const verdict = await verify(client, held.tokens, ledger.item.facts, call)
  const now = ports.clock.now()
  const problem: Ending | undefined =
    verdict.verdict === 'good'
      ? undefined
      : {
          outcome: 'failed',
          error: describeError(verdict.error),
          message: describeError(verdict.error).message,
          ...(verdict.verdict === 'rejected' ? { cause: 'verify-failed' } : {}),
        }
  if (problem && !mayPublish(verdict.verdict, ledger.item.published, now, ports.timings))
    return problem
  // A run that was frozen past its lease must not overwrite what its successor has published.
  if (now >= later(run.deadline, ports.timings.leaseGraceSeconds)) {
    throw new LeaseHeldError('the lease ran out before the token could be published')
  }
  const where = await publish(held, client.headers(held.tokens), context)
  ledger.stage((item) => published(item, held, where, verdict, ports.clock.now(), ports.timings))
  if (problem !== undefined) return problem
  if (where === 'mirror') {
    return {
      outcome: 'blocked',
      cause: 'version-budget',
      message: `Secrets Manager takes no more versions of ${consumerSecretId(run.connection.id)} for now; the token was written to the parameter ${mirrorName(run.connection.id)}`,
    }
  }
  const { warning } = verdict.verdict === 'good' ? verdict.verified : {}
  const due = renewAt(run.connection, held.tokens, ports.timings)
  const dueAt = earliest(due, ledger.item.retireAt) ?? due
  return { outcome, dueAt, ...(warning === undefined ? {} : { warning }) }
}

function published(
  item: LedgerItem,
  held: Held,
  where: 'secret' | 'mirror',
  verdict: Verdict,
  now: Date,
  timings: Timings,
): LedgerItem {
  const { versionId, tokens } = held
  const { issuedAt, expiresAt } = tokens
  const before = item.published
  const isNew = before?.versionId !== versionId
  const proven = verdict.verdict === 'good'
  const writes = withinWindow(item.consumerWrites, now, timings)
  return {
    ...item,
    published: { versionId, issuedAt, expiresAt, where, proven },
    rotations: item.rotations + (isNew ? 1 : 0),
    consumerWrites:
      where === 'secret' && (isNew || before.where === 'mirror') ? [...writes, now] : writes,
    facts: verdict.verdict === 'good' ? { ...item.facts, ...verdict.verified.facts } : item.facts,
    ...(isNew && held.superseded.length > 0
      ? { retireAt: later(now, timings.overlapSeconds) }
      : {}),
  }
}

/** What asking the vendor about a token gave. */
type Verdict =
  | { readonly verdict: 'good'; readonly verified: Verified }
  | { readonly verdict: 'rejected' | 'inconclusive'; readonly error: unknown }

/** Proves a token with the vendor; a vendor without such a call is believed. */
async function verify(
  client: VendorClient,
  tokens: TokenSet,
  known: Readonly<Record<string, string>>,
  call: Call,
): Promise<Verdict> {
  try {
    const verified = await client.verify?.(tokens, known, call)
    return { verdict: 'good', verified: verified ?? {} }
  } catch (error) {
    if (!isRotatorError(error)) throw error
    const rejected = error instanceof VerifyFailedError && error.rejected
    return { verdict: rejected ? 'rejected' : 'inconclusive', error }
  }
}

/**
 * Whether a token goes out to consumers. A proven one always does. A rejected one never replaces one
 * that lives; one that could not be asked about waits while the published one is fresh.
 */
export function mayPublish(
  verdict: Verdict['verdict'],
  published: LedgerItem['published'],
  now: Date,
  timings: Timings,
): boolean {
  if (verdict === 'good' || published === undefined) return true
  return now >= (verdict === 'rejected' ? published.expiresAt : nearlyOutAt(published, timings))
}

/** Name of the parameter that stands in for a consumer secret which takes no more versions. */
export function mirrorName(connection: string): string {
  return `/${consumerSecretId(connection)}`
}

/**
 * Writes the consumer document. If Secrets Manager refuses the version for its quota, the document
 * goes to a parameter of the same name, which has no such limit.
 *
 * @throws {StoreError}
 */
async function publish(
  held: Held,
  headers: Readonly<Record<string, string>>,
  { run, ports, ledger }: Context,
): Promise<'secret' | 'mirror'> {
  const { connection, vendor, deadline } = run
  const owner = { connection: connection.id, vendor: vendor.id, url: vendor.url(connection) }
  const text = encodeConsumer(owner, held.tokens, headers)
  const secretId = consumerSecretId(connection.id)
  const patience = { ...ports, deadline }
  const put = (versionId: string) =>
    untilDeadline(() => ports.secrets.put(secretId, { versionId, text }, 'current'), patience)
  try {
    const first = await put(publicationId(held.versionId))
    // Taken by other text: an earlier release wrote the document differently. Same token, another id.
    if (first === 'conflict') await put(publicationId(`${held.versionId}/${ledger.item.fence}`))
    return 'secret'
  } catch (error) {
    if (!(error instanceof StoreError && error.kind === 'limit')) throw error
    await untilDeadline(() => ports.parameters.write(mirrorName(connection.id), text), patience)
    return 'mirror'
  }
}
