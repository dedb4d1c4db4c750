import { decodeEnrollment, enrollmentSecretId } from './documents.ts'
import { ConfigError, describeError, StoreError } from './errors.ts'
import { type LedgerItem, newItem, spentAlso } from './ledger.ts'
import type { Peer, Regions } from './ports.ts'
import type { Ending } from './release.ts'
import { later, type Timings } from './renewal.ts'
import type { Context } from './run.ts'
import { type Heard, highest, outranks, type Standing } from './standing.ts'

// Only that region's own ticks and a take-over write there as well.
const tries = 4

/**
 * Asks every other region for leave to send a refresh token: one conditional write in its ledger, which
 * a take-over there forbids from its first write on. So of an announcement and a take-over, whichever
 * comes second knows of the first: this run does not send, or that region knows what was sent.
 *
 * @returns why nothing may be sent; `undefined`: leave was given, or there is nobody to ask
 */
export async function askLeave(sending: Sending, context: Context): Promise<Ending | undefined> {
  const { ports } = context
  const { regions } = ports
  if (regions === undefined) return undefined
  const mine = standingOf(context, regions)
  for (const peer of asked(regions, context)) {
    try {
      const higher = await write(peer, mine, context, said(sending, mine, context))
      if (higher !== undefined) return standDown(higher, context)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return unreachable(peer, error, context)
    }
  }
  return undefined
}

/** What is about to be sent: a refresh token, or what is good for one use as well, e.g. a one-time code. */
export type Sending =
  | (Pick<Heard, 'token' | 'kind'> & { readonly versionId: string })
  | { readonly facts: LedgerItem['facts'] }

/** The same, as the other region writes it down. */
function said(sending: Sending, mine: Standing, { ports, ledger }: Context) {
  if ('facts' in sending) return sending
  const { token, kind, versionId } = sending
  const until = later(ledger.deadline, ports.timings.leaseGraceSeconds)
  const heard: Heard = { ...mine, fence: ledger.item.fence, token, kind, until }
  // What was sent before, and where the newest pair stands, is what a restored version is told by.
  return { heard, versionId, spent: [...ledger.item.spent, token] }
}

/**
 * Looks whether another region has taken over, before a grant that spends nothing. Two logins are a
 * nuisance and not a loss: a region that cannot be asked does not stop it.
 */
export async function lookAround(context: Context): Promise<Ending | undefined> {
  const { run, ports } = context
  const { regions } = ports
  if (regions === undefined) return undefined
  const mine = standingOf(context, regions)
  for (const peer of asked(regions, context)) {
    const item = await peer.ledger
      .read(run.connection.vendor, run.connection.id)
      .catch(() => undefined)
    const theirs = item?.standing
    if (theirs !== undefined && outranks(theirs, mine)) return standDown(theirs, context)
  }
  return undefined
}

/**
 * Another region is at work: this one writes that down, stands by and comes back now and then to look. A
 * person is told once if it is a region that consumers have read from.
 */
export function standDown(higher: Standing, { run, ports, ledger }: Context): Ending {
  const { id } = run.connection
  ledger.stage(({ takingOver: _, ...item }) => ({ ...item, standing: higher }))
  return {
    outcome: 'standby',
    message: `the region ${higher.region} is at work on ${id}, and this one is not; to change that, run here: token-rotator take-over ${id}`,
    ...(ledger.item.published === undefined ? {} : { cause: 'stood-down' as const }),
    dueAt: later(ports.clock.now(), standbySeconds(ports.timings)),
  }
}

/** As which a region acts: as its ledger has it, or else as the first of the list. */
export function standingOf({ ledger }: Context, { first }: Regions): Standing {
  return ledger.item.standing ?? { epoch: 0, region: first }
}

/**
 * Writes into another region's ledger which region is at work, and what it is about to send.
 *
 * @returns what stands there, if that is higher: then nothing was written
 * @throws {StoreError}
 */
export async function write(
  peer: Peer,
  mine: Standing,
  { run, ports }: Context,
  news: Partial<Pick<LedgerItem, 'heard' | 'versionId' | 'spent' | 'facts'>> = {},
): Promise<Standing | undefined> {
  const { vendor, id } = run.connection
  const { own, first } = ports.regions as Regions
  for (let attempt = 0; attempt < tries; attempt++) {
    const stored = await peer.ledger.read(vendor, id)
    // A ledger item that is new or was deleted: what that region holds may know better.
    const known = stored?.standing ?? (await enrolled(peer, id))
    const theirs = highest({ epoch: 0, region: first }, known)
    if (outranks(theirs, mine)) return theirs
    const found = stored ?? newItem({ vendor, connection: id }, ports.clock.now())
    // What has been overtaken there is not asked for any more; and what is sent by the region at work
    // settles what was once in doubt there.
    const { takingOver: _, intent, ...rest } = found
    const item = intent === undefined || news.heard !== undefined ? rest : { ...rest, intent }
    const result = await peer.ledger.write({
      ...item,
      ...news,
      spent: spentAlso(item, { spent: news.spent ?? [] }).spent,
      facts: { ...item.facts, ...news.facts },
      revision: item.revision + 1,
      writer: `${run.runId}@${own}#${attempt}`,
      standing: mine,
    })
    if (result === 'written') return undefined
  }
  throw new StoreError(`the ledger in ${peer.region} kept changing`, 'retry')
}

/** Those that a take-over has not left out: they were looked for at the beginning of this run. */
function asked({ peers }: Regions, { ledger }: Context): readonly Peer[] {
  const { without = [] } = ledger.item.takingOver ?? {}
  return peers.filter(({ region }) => !without.includes(region))
}

async function enrolled(peer: Peer, connection: string): Promise<Standing | undefined> {
  const stored = await peer.secrets.read(enrollmentSecretId(connection))
  if (stored === undefined) return undefined
  try {
    return decodeEnrollment(stored.text, stored.versionId).standing
  } catch (error) {
    // Not a document at all: nobody could be at work with it.
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

function unreachable({ region }: Peer, error: StoreError, { run, ledger }: Context): Ending {
  const { id } = run.connection
  return {
    outcome: 'blocked',
    error: describeError(error),
    message: `the region ${region} could not be asked for leave (${error.message}), so nothing is sent that is good only once; if that region stays away, run here: token-rotator take-over ${id}`,
    // What passes by the next tick is no reason to call a person.
    ...(ledger.item.attempts === 0 ? {} : { cause: 'region-unreachable' as const }),
  }
}

function standbySeconds({ backoffSeconds }: Timings): number {
  return Math.max(...backoffSeconds)
}
