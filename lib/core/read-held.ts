import {
  decodeEnrollment,
  decodeEscrow,
  type Enrollment,
  type Escrowed,
  enrollmentSecretId,
  isIssued,
} from './documents.ts'
import { distrusted, fingerprint, isAnnounced, type LedgerItem, wasSent } from './ledger.ts'
import type { Parameters, SecretStore } from './ports.ts'
import type { Context } from './run.ts'
import type { HeldTokens } from './vendor.ts'
import { successorId } from './version-id.ts'

/** What is found of a connection's credentials, and which of it counts. */
export interface Found {
  readonly current: Enrollment
  /** The version after which the next one is written: the last of the chain that starts at `current`. */
  readonly tip: string
  /** The highest fence of all versions that were read; absent if none was read to find this. */
  readonly fence?: number
  /** The newest tokens that may still be used, wherever they were found. */
  readonly newest:
    | { readonly in: 'current' }
    | { readonly in: 'version'; readonly enrollment: Enrollment; readonly tip: string }
    | { readonly in: 'escrow'; readonly escrowed: Escrowed }
}

/** Name of a connection's escrow parameter. */
export function escrowName(connection: string): string {
  return `/token-rotator/${connection}/escrow`
}

type Reading = Pick<SecretStore, 'read'>

// A chain this long cannot be: Secrets Manager keeps about a hundred versions.
const longestChain = 128

/**
 * Reads the current version and everything that may be newer: successors that were written but not
 * promoted, the version that the ledger last knew, and the escrow. Adoption does not ask whether the
 * access token still works; what counts is the refresh token.
 *
 * @returns `undefined` if nobody has enrolled yet
 * @throws {ConfigError} if the current version is not a document
 * @throws {StoreError}
 */
export async function readHeld(
  connection: string,
  item: LedgerItem,
  { secrets, parameters }: { secrets: Reading; parameters: Pick<Parameters, 'read'> },
): Promise<Found | undefined> {
  const secretId = enrollmentSecretId(connection)
  // The escrow first: whoever brings its pair home writes the version, then empties the escrow. Read in
  // that order as well, both could be missed.
  const escrowText = await parameters.read(escrowName(connection)).catch((error) => {
    if (mayBeEscrowed(item)) throw error
    return undefined
  })
  const escrowed = escrowText === undefined ? undefined : readEscrow(escrowText)
  const read = await secrets.read(secretId)
  if (read === undefined) return undefined
  const current = decodeEnrollment(read.text, read.versionId)

  const successors = await chain(secrets, secretId, current.versionId)
  const tip = successors.at(-1)?.versionId ?? current.versionId
  const byHand = current.fence === undefined
  // What a person put in place of the former pair is followed by its own pair alone, also while in doubt,
  // and also if they have edited the document since. Instants do not tell: the clock may have been set
  // between the announcement and the sending.
  const isReplaced = byHand && item.intent?.refused === false && isAnnounced(item, current.tokens)
  const known = [
    isReplaced ? undefined : item.versionId,
    item.intent?.versionId,
    item.enrolled,
  ].filter(
    (id, index, ids) => id !== undefined && id !== current.versionId && ids.indexOf(id) === index,
  )
  const elsewhere = await Promise.all(
    known.map(async (id) => {
      const versions = [
        ...(await only(secrets, secretId, id as string)),
        ...(await chain(secrets, secretId, id as string)),
      ]
      const last = versions.at(-1)?.versionId ?? (id as string)
      return versions.map((enrollment) => ({ in: 'version' as const, enrollment, tip: last }))
    }),
  )
  const later = elsewhere.flat()
  const chained = [current, ...successors, ...later.map(({ enrollment }) => enrollment)]
  const found = { current, tip, fence: Math.max(...chained.map((each) => each.fence ?? 0)) }
  const isSent = (tokens: HeldTokens) => wasSent(item, tokens)
  // A person who enrolls wins over whatever a run left behind, unless what they put back was already
  // sent: then it was an edit of the document, and the pair that followed is still the one to use.
  if (byHand && !isSent(current.tokens)) return { ...found, newest: { in: 'current' } }

  // What somebody has put over a new enrollment before its first use is an older one, used up.
  const enrolled = later.find(({ enrollment }) => isEnrolled(enrollment, item))
  if (enrolled !== undefined && isSent(current.tokens)) return { ...found, newest: enrolled }

  const issuedAt = ({ tokens }: Kept) => tokens.issuedAt?.getTime() ?? 0
  const isInDoubt = ({ versionId, tokens }: Kept) =>
    item.intent?.refused === false && item.intent.versionId === versionId && isSent(tokens)
  const isUsedUp = isSent(current.tokens) && !isReplaced && !isInDoubt(current)
  // What is in doubt may still turn out to be good. A person who restores an older version meanwhile
  // has put back what is used up for certain. When a person got a token, its document does not say.
  const isPutAside = (kept: Kept) =>
    isInDoubt(kept) && (!isIssued(kept.tokens) || issuedAt(kept) > issuedAt(current))
  const isFormer = isReplaced && !chained.some(({ versionId }) => versionId === escrowed?.basedOn)

  let newest: Found['newest'] = { in: 'current' }
  let newestAt = isUsedUp ? Number.NEGATIVE_INFINITY : issuedAt(current)
  for (const candidate of [
    ...successors.map((enrollment) => ({ in: 'version' as const, enrollment, tip })),
    ...later,
    ...(escrowed === undefined || isFormer ? [] : [{ in: 'escrow' as const, escrowed }]),
  ]) {
    const kept = candidate.in === 'version' ? candidate.enrollment : unwritten(candidate.escrowed)
    const isGood = isIssued(kept.tokens) && !isSent(kept.tokens)
    if (!isGood && !isPutAside(kept)) continue
    if (issuedAt(kept) > newestAt) {
      newest = candidate
      newestAt = issuedAt(kept)
    }
  }
  return { ...found, newest }
}

/** Whether this is what was enrolled last, with a refresh token, and nothing was sent since. */
function isEnrolled({ versionId, tokens }: Enrollment, item: LedgerItem): boolean {
  const isUnused = tokens.refreshToken !== undefined && !wasSent(item, tokens)
  return versionId === item.enrolled && isUnused && item.intent === undefined
}

/** Tokens and the version that they stand in. */
type Kept = Pick<Enrollment, 'versionId' | 'tokens'>

/** An escrowed pair stands in no version yet; it would be the successor of what it is based on. */
function unwritten({ basedOn, tokens }: Escrowed): Kept {
  return { versionId: successorId(basedOn), tokens }
}

/**
 * Whether a pair may stand in the escrow alone: while an answer is missing, and to a ledger that knows
 * nothing. Otherwise renewal does not depend on Parameter Store.
 */
function mayBeEscrowed({ intent, versionId, published }: LedgerItem): boolean {
  return intent !== undefined || (versionId === undefined && published === undefined)
}

/** A parameter that the rotator did not write must not stop it. */
function readEscrow(text: string): Escrowed | undefined {
  try {
    return decodeEscrow(text)
  } catch {
    return undefined
  }
}

/** The versions that follow one, each found by the id that only it can have. */
async function chain(secrets: Reading, secretId: string, from: string): Promise<Enrollment[]> {
  const found: Enrollment[] = []
  let id = successorId(from)
  while (found.length < longestChain) {
    const [enrollment] = await only(secrets, secretId, id)
    if (enrollment === undefined) break
    found.push(enrollment)
    id = successorId(id)
  }
  return found
}

async function only(secrets: Reading, secretId: string, versionId: string): Promise<Enrollment[]> {
  const stored = await secrets.read(secretId, versionId)
  return stored === undefined ? [] : [decodeEnrollment(stored.text, stored.versionId)]
}

/**
 * A document that a later run wrote than any the ledger knows of: the ledger item was deleted or
 * rolled back, and with it the record of what was sent. The held refresh token then counts as sent
 * and in doubt, unless an unpromoted successor shows that it was not yet touched.
 */
export async function noticeLostLedger(found: Found, { ledger }: Context): Promise<Found> {
  const { current, newest } = found
  const fence = Math.max(
    current.fence ?? 0,
    found.fence ?? 0,
    newest.in === 'version' ? (newest.enrollment.fence ?? 0) : 0,
  )
  if (fence < ledger.item.fence) return found
  const { refreshToken } = current.tokens
  // What is on record as sent is in doubt for what stands there, and for nothing else.
  const isUnknown = refreshToken !== undefined && !wasSent(ledger.item, current.tokens)
  const doubtful = newest.in === 'current' && isUnknown
  const token = doubtful ? fingerprint(ledger.item.connection, refreshToken) : undefined
  const { versionId } = current
  // A run that took its lease from the lost item may still be waiting for its answer, as long as this one could.
  await ledger.commit((item) => ({
    ...distrusted(item, { versionId, fence, token }, ledger.deadline),
    knownFrom: fence + 1,
  }))
  return found
}
