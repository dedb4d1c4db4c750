import { nextDue } from './decide.ts'
import { consumerSecretId, type Enrollment, encodeConsumer } from './documents.ts'
import { describeError, LeaseHeldError, StoreError } from './errors.ts'
import { answers, isLeased, type LedgerItem } from './ledger.ts'
import { untilRunEnds } from './persist.ts'
import type { Ending } from './release.ts'
import { later, nearlyOutAt, type Timings, withinWindow } from './renewal.ts'
import { type Context, callNow } from './run.ts'
import type { TokenSet, VendorClient } from './vendor.ts'
import { mayPublish, noticed, type Verdict, verify } from './verify.ts'
import { publicationId } from './version-id.ts'

/** A document whose tokens are whole. */
export type Held = Enrollment & { readonly tokens: TokenSet }

/** What is published: a held document, or tokens that are not held and so known by this version id alone. */
export interface Publication {
  readonly document: Held
  readonly isHeld: boolean
}

/**
 * Verify, then publish, so that no consumer meets a token that nobody has tried.
 *
 * The first token that the vendor refuses when consumers need one is marked, not published: one that works
 * may be had at once.
 *
 * @returns the given outcome, or that of a run that held the token back or could not place it
 * @throws {LeaseHeldError} the lease ran out, or another run has published since
 * @throws {StoreError}
 */
export async function verifyAndPublish(
  publication: Publication,
  client: VendorClient,
  outcome: Ending['outcome'],
  context: Context,
): Promise<Ending> {
  const { ports, ledger, run } = context
  const { document } = publication
  const verdict = await verify(client, document.tokens, callNow(context))
  const now = ports.clock.now()
  const problem = problemOf(verdict)
  const { rejected, published: before } = ledger.item
  const isUrgent = before === undefined || now >= nearlyOutAt(before, ports.timings)
  if (problem && verdict.verdict === 'rejected' && isUrgent && rejected === undefined) {
    ledger.stage((item) => ({ ...item, rejected: document.versionId }))
    return problem
  }
  if (problem && !mayPublish(verdict.verdict, before, now, ports.timings)) {
    return problem
  }
  // A run that was frozen past its lease must not overwrite what its successor has published.
  if (!isLeased(ledger.item, now)) {
    throw new LeaseHeldError('the lease ran out before the token could be published')
  }
  const place = await publish(publication, client.headers(document.tokens), context)
  ledger.stage((item) => published(item, publication, place, verdict, now, ports.timings))
  if (problem !== undefined) return problem
  if (place.where === 'mirror') {
    return {
      outcome: 'blocked',
      cause: 'version-budget',
      message: `Secrets Manager takes no more versions of ${consumerSecretId(run.connection.id)} for now; the token was written to the parameter ${mirrorName(run.connection.id)}`,
    }
  }
  const verified = verdict.verdict === 'good' ? verdict.verified : {}
  const { connection, vendor } = run
  const { timings } = ports
  const { idleSeconds } = vendor
  const situation = { connection, held: document, item: ledger.item, idleSeconds, timings }
  return { outcome, dueAt: nextDue(situation), ...noticed(verified, ledger.item.facts, now) }
}

function problemOf(verdict: Verdict): Ending | undefined {
  if (verdict.verdict === 'good') return undefined
  const error = describeError(verdict.error)
  return {
    outcome: 'failed',
    error,
    message: error.message,
    ...(verdict.verdict === 'rejected' ? { cause: 'verify-failed' } : {}),
  }
}

function published(
  item: LedgerItem,
  publication: Publication,
  place: Place,
  verdict: Verdict,
  now: Date,
  timings: Timings,
): LedgerItem {
  const { document, isHeld } = publication
  const { versionId, tokens, superseded } = document
  const { issuedAt, expiresAt } = tokens
  const before = item.published
  const isNew = before?.versionId !== versionId
  // Done with new tokens in consumers' reach, the mirror included: asked again, it would renew again.
  const { requested, ordered, rejected, ...rest } = item
  const { where } = place
  const asked = isNew || requested === undefined ? {} : { requested }
  const isWritten = where === 'secret' && (isNew || before.where === 'mirror')
  const writes = withinWindow(item.consumerWrites, now, timings)
  const { facts, certificates } = verdict.verdict === 'good' ? verdict.verified : {}
  return {
    ...rest,
    ...asked,
    ...(ordered === undefined || orderFor(publication, item) ? {} : { ordered }),
    ...(rejected === undefined || verdict.verdict === 'good' ? {} : { rejected }),
    published: {
      versionId,
      issuedAt,
      expiresAt,
      held: isHeld,
      ...place,
      proven: verdict.verdict === 'good',
    },
    rotations: item.rotations + (isNew ? 1 : 0),
    consumerWrites: isWritten ? [...writes, now] : writes,
    facts: { ...item.facts, ...tokens.facts, ...facts },
    ...(certificates === undefined ? {} : { certificates }),
    ...(expiresAt === null && verdict.verdict === 'good' ? { aliveAt: now } : {}),
    ...(isNew && superseded.length > 0 ? { retireAt: later(now, timings.overlapSeconds) } : {}),
  }
}

/** Name of the parameter that stands in for a consumer secret which takes no more versions. */
export function mirrorName(connection: string): string {
  return `/${consumerSecretId(connection)}`
}

/** Where a document was put, and under which id if not under the one that follows from its version. */
type Place = Pick<NonNullable<LedgerItem['published']>, 'where' | 'as'>

/** The order that a publication carries out, if there is one: what was held before does not answer it. */
function orderFor({ document, isHeld }: Publication, { ordered }: LedgerItem) {
  const isAnswer = ordered !== undefined && (!isHeld || answers(ordered, document.fence))
  return isAnswer ? ordered : undefined
}

/** The version of the consumer secret that a document is written as. */
function idOf(publication: Publication, item: LedgerItem): string {
  const { versionId } = publication.document
  const before = item.published?.versionId === versionId ? item.published.as : undefined
  return orderFor(publication, item)?.versionId ?? before ?? publicationId(versionId)
}

/**
 * Writes the consumer document, then moves the label to it. If Secrets Manager refuses the version for
 * its quota, the document goes to a parameter of the same name, which has no such limit.
 *
 * @throws {LeaseHeldError} another run has published since
 * @throws {StoreError}
 */
async function publish(
  publication: Publication,
  headers: Readonly<Record<string, string>>,
  context: Context,
): Promise<Place> {
  const { run, ports, ledger } = context
  const { document: held } = publication
  const { connection, vendor } = run
  const owner = { connection: connection.id, vendor: vendor.id, url: vendor.url(connection) }
  const text = encodeConsumer(owner, held.tokens, headers)
  const secretId = consumerSecretId(connection.id)
  const put = (versionId: string) =>
    untilRunEnds(() => ports.secrets.put(secretId, { versionId, text }, 'pending'), context)
  try {
    let id = idOf(publication, ledger.item)
    if ((await put(id)) === 'conflict') {
      // Taken by other text: an earlier release wrote the document differently, or what was ordered was
      // half done with tokens that are not held. Another id.
      id = publicationId(`${held.versionId}/${run.runId}`)
      await put(id)
    }
    await makeCurrent(secretId, id, context)
    return { where: 'secret', ...(id === publicationId(held.versionId) ? {} : { as: id }) }
  } catch (error) {
    if (!(error instanceof StoreError && error.kind === 'limit')) throw error
    await untilRunEnds(() => ports.parameters.write(mirrorName(connection.id), text), context)
    return { where: 'mirror' }
  }
}

/**
 * Moves the current label from what was published when this run took its lease, and from nothing
 * else: a call that stood still on its way, while another run went ahead, finds the label elsewhere.
 */
async function makeCurrent(secretId: string, to: string, context: Context) {
  const { ports, ledger } = context
  const { published } = ledger.item
  let move: { from?: string } | undefined = published && {
    from: published.as ?? publicationId(published.versionId),
  }
  await untilRunEnds(async () => {
    if (move && (await ports.secrets.promote(secretId, { ...move, to })) === 'promoted') return
    // The label is elsewhere: on the first version there is, or put there by a person or by a run that
    // could not write it down. What is read before a write that only the lease's owner can make is older
    // than any other run's publication.
    const current = await ports.secrets.currentId(secretId)
    if (current === to) return
    await ledger.commit()
    // None at all: a native rotation of a secret without a value has left its empty version there.
    move = current === undefined ? {} : { from: current }
    throw new StoreError(`the current version of ${secretId} is another one than expected`, 'retry')
  }, context)
}
