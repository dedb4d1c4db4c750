import { answerSeconds } from './decide.ts'
import { type Enrollment, encodeEnrollment, enrollmentSecretId } from './documents.ts'
import { StoreError } from './errors.ts'
import {
  distrusted,
  fingerprint,
  isAnnounced,
  type LedgerItem,
  settled,
  spentAlso,
  wasSent,
} from './ledger.ts'
import { untilRunEnds } from './persist.ts'
import { escrowName, type Found } from './read-held.ts'
import type { Ending } from './release.ts'
import { later, nearlyOutAt } from './renewal.ts'
import type { Context } from './run.ts'
import { successorId } from './version-id.ts'

/** The newest that was found, as one document. */
export function newestOf({ current, newest }: Found): Enrollment {
  if (newest.in === 'current') return current
  if (newest.in === 'escrow') {
    const { tokens, superseded } = newest.escrowed
    return { ...current, tokens, superseded }
  }
  if (current.fence !== undefined) return newest.enrollment
  // Edited by a person: their credentials, and this pair.
  const { credential, credentialId } = current
  return { ...newest.enrollment, credential, credentialId }
}

/** Whether this very take-over has written it: then the ledger already knows what it is worth. */
export function isWritten({ standing }: Enrollment, { ledger }: Context): boolean {
  const { epoch, region } = ledger.item.standing ?? {}
  return standing?.epoch === epoch && standing?.region === region
}

/** Whether what is held here has been sent: it is in doubt, or used up. */
export function isSent(found: Found | undefined, { ledger }: Context): boolean {
  if (found === undefined) return true
  return wasSent(ledger.item, newestOf(found).tokens)
}

/**
 * Whether a held refresh token was certainly not sent elsewhere: the region at work announces each one
 * here before it sends it, and what is held is what it got by the last one announced. It could go on
 * without this region only when a token is nearly out, so up to then its silence is proof.
 */
export function isUnsent({ tokens, fence, standing }: Enrollment, context: Context): boolean {
  const { run, ports, ledger } = context
  const { heard } = ledger.item
  const { refreshToken, issuedAt, expiresAt } = tokens
  if (refreshToken === undefined) return true
  if (heard === undefined || issuedAt === undefined || !expiresAt) return false
  const { epoch, region } = standing ?? { epoch: 0, region: ports.regions?.first }
  return (
    heard.epoch === epoch &&
    heard.region === region &&
    heard.fence === fence &&
    heard.token !== fingerprint(run.connection.id, refreshToken) &&
    ports.clock.now() < nearlyOutAt({ issuedAt, expiresAt }, ports.timings)
  )
}

/**
 * What counted here as sent by another region, until that one could be asked: announced, but leave did not
 * arrive there; or doubted, because nothing had been heard. Its own ledger knows better, as it writes a
 * token down before it sends it.
 *
 * @param isLast whether no other region is left that may have sent it
 */
export function unsent(
  own: LedgerItem,
  { region, item, found }: { region: string; item: LedgerItem; found: Found | undefined },
  isLast: boolean,
): LedgerItem {
  const { heard, intent } = own
  // A ledger that was lost meanwhile does not tell.
  const isKnown = (fence: number) => item.fence >= fence && (item.knownFrom ?? 0) <= fence
  const isGuess =
    isLast && intent?.grant === unheardOf && isKnown((found && newestOf(found).fence) ?? 0)
  const isHeard = heard?.region === region && isKnown(heard.fence)
  const tokens = [isGuess && intent.token, isHeard && heard.token]
  const wrong = tokens.filter((token) => token && !item.spent.includes(token))
  const { heard: _, intent: __, ...rest } = own
  return {
    ...rest,
    ...(heard === undefined || wrong.includes(heard.token) ? {} : { heard }),
    ...(intent === undefined || (isGuess && wrong.includes(intent.token)) ? {} : { intent }),
    spent: own.spent.filter((token) => !wrong.includes(token)),
  }
}

/** What another region knows of the token that is in doubt here: that it was repeated, or refused. */
export function furthered(own: LedgerItem, { item }: { item: LedgerItem }): LedgerItem {
  const { intent } = own
  const { intent: theirs } = item
  if (intent === undefined || theirs === undefined || theirs.token !== intent.token) return own
  const kind = theirs.kind === 'probe' ? theirs.kind : intent.kind
  return { ...own, intent: { ...intent, kind, refused: intent.refused || theirs.refused } }
}

/** The record that goes with a pair of another region: what was sent there, and what is in doubt. */
export function fromPeer(
  own: LedgerItem,
  theirs: LedgerItem,
  newest: Enrollment,
  to: string,
): LedgerItem {
  const { intent: _, ...rest } = spentAlso(own, theirs)
  const { intent } = theirs
  const isIntended = intent !== undefined && isAnnounced(theirs, newest.tokens)
  const fence = Math.max(own.fence, newest.fence ?? 0) + 1
  return {
    ...rest,
    ...(isIntended ? { intent: { ...intent, versionId: to, fence } } : {}),
    refused: [...own.refused, ...theirs.refused],
    facts: { ...own.facts, ...theirs.facts },
  }
}

/** The same pair under another version id. */
export function moved(own: LedgerItem, { versionId }: Enrollment, to: string): LedgerItem {
  const { intent } = own
  return intent?.versionId === versionId ? { ...own, intent: { ...intent, versionId: to } } : own
}

/** Instead of a grant, where nobody knows of any: another region may have sent the token. */
export const unheardOf = 'unheard of'

/** A token that another region may have sent: in doubt until a run that was at work there is over. */
export function doubted(
  own: LedgerItem,
  newest: Enrollment,
  to: string,
  context: Context,
): LedgerItem {
  const { ports, ledger } = context
  const { refreshToken } = newest.tokens
  if (refreshToken === undefined) return own
  const token = fingerprint(own.connection, refreshToken)
  // On record already, and with more than is known here.
  if (own.intent?.token === token) return moved(own, newest, to)
  const { heard } = own
  // Used up on record, and not what was announced last: nothing of it is left to doubt.
  if (own.spent.includes(token) && heard?.token !== token) return own
  const kind = heard?.token === token ? heard.kind : 'first'
  const wait = ports.timings.leaseGraceSeconds - answerSeconds(ports.timings)
  const at = later(ledger.deadline, wait)
  // Above whatever is held: an older version with this token is not one that a run wrote since.
  const fence = Math.max(own.fence, newest.fence ?? 0)
  const { intent, ...rest } = distrusted(own, { versionId: to, fence, token }, at)
  return intent === undefined ? rest : { ...rest, intent: { ...intent, grant: unheardOf, kind } }
}

/**
 * Writes a document here, under this take-over's epoch. What the ledger is to know of it is written
 * before, so whoever finds the document need not judge it again.
 */
export async function bring(
  chosen: Enrollment,
  found: Found | undefined,
  context: Context,
  record: (own: LedgerItem, versionId: string) => LedgerItem,
): Promise<{ readonly found: Found } | { readonly ending: Ending }> {
  const { run, ports, ledger } = context
  const { connection } = run
  const secretId = enrollmentSecretId(connection.id)
  const versionId = successorId(found?.tip ?? chosen.versionId)
  const fence = Math.max(ledger.item.fence, chosen.fence ?? 0)
  await untilRunEnds(
    () => ledger.commit((item) => ({ ...record(item, versionId), fence: fence + 1 })),
    context,
  )
  const { standing } = ledger.item
  const document = { ...chosen, versionId, fence, ...(standing === undefined ? {} : { standing }) }
  const owner = { connection: connection.id, vendor: connection.vendor }
  const version = { versionId, text: encodeEnrollment(document, owner) }
  try {
    const put = await untilRunEnds(
      () => ports.secrets.put(secretId, version, found === undefined ? 'current' : 'pending'),
      context,
    )
    if (put === 'conflict') return { ending: changed }
    if (found !== undefined) {
      const move = { from: found.current.versionId, to: versionId }
      const moved = await untilRunEnds(() => ports.secrets.promote(secretId, move), context)
      if (moved === 'superseded') return { ending: changed }
    }
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'denied') throw error
    return { ending: readOnly(secretId, error, context) }
  }
  const { tokens } = document
  ledger.stage((item) => ({
    ...settled(item, { versionId, tokens }),
    enrollmentWrites: [...item.enrollmentWrites, ports.clock.now()],
  }))
  await ports.parameters.remove(escrowName(connection.id)).catch(() => undefined)
  return { found: { current: document, tip: versionId, newest: { in: 'current' } } }
}

const changed: Ending = { outcome: 'failed', message: 'the store kept changing under this run' }

function readOnly(secretId: string, { message }: StoreError, { ports }: Context): Ending {
  const at = ports.regions === undefined ? '' : ` --region ${ports.regions.own}`
  return {
    outcome: 'blocked',
    cause: 'configuration',
    message: `the secret ${secretId} cannot be written here (${message}); if it is still a replica, run: aws secretsmanager stop-replication-to-replica${at} --secret-id ${secretId}`,
  }
}
