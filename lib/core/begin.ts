import { standDown, standingOf, write } from './announce.ts'
import {
  bring,
  doubted,
  fromPeer,
  furthered,
  isSent,
  isUnsent,
  isWritten,
  moved,
  newestOf,
  unheardOf,
  unsent,
} from './bring.ts'
import { type Enrollment, enrollmentSecretId } from './documents.ts'
import { StoreError } from './errors.ts'
import { isLeased, type LedgerItem, newItem, spentAlso, wasSent } from './ledger.ts'
import type { Peer, Regions } from './ports.ts'
import { type Found, readHeld } from './read-held.ts'
import type { Ending } from './release.ts'
import { later } from './renewal.ts'
import type { Context } from './run.ts'
import { highest, outranks, type Standing, type TakingOver } from './standing.ts'

/** What a run goes on with, or how it ends before it has begun. */
export type Begun = { readonly found: Found | undefined } | { readonly ending: Ending }

// Runs, a minute apart, in which what another region holds is looked for before one goes on without it.
const looks = 5

/** Reads what is held, if this is the region at work; and if it has just become so, settles what that is. */
export async function begin(context: Context): Promise<Begun> {
  const { run, ports, ledger } = context
  const { regions } = ports
  const { id } = run.connection
  if (regions === undefined) return { found: await readHeld(id, ledger.item, ports) }
  const { standing, takingOver } = ledger.item
  // A ledger item that was deleted or rolled back: the other regions remember, and so does the document.
  // A region that stands by asks each time: else two of them could each believe in the other.
  const others = standing?.region === regions.own ? [] : await askAround(context, regions)
  const told = highest(standingOf(context, regions), ...others)
  if (standing !== undefined && told.region !== regions.own) {
    return { ending: standDown(told, context) }
  }
  const found = await readHeld(id, heardAsDoubt(ledger.item), ports)
  const known = highest(told, found?.current.standing)
  if (known.region !== regions.own) return { ending: standDown(known, context) }
  ledger.stage((item) => ({ ...item, standing: known }))
  return takingOver === undefined ? { found } : succeed(found, context, regions, takingOver)
}

/** What another region has announced last may be what it was given no answer to. */
function heardAsDoubt(item: LedgerItem): LedgerItem {
  const { takingOver, intent, heard, versionId } = item
  if (takingOver === undefined || takingOver.settled || intent !== undefined) return item
  if (heard === undefined || versionId === undefined) return item
  const { token, kind, until } = heard
  const doubt = { grant: unheardOf, token, versionId, at: until, kind, refused: false }
  return { ...item, intent: doubt }
}

/** Who is at work, as those regions know it that can be asked. */
function askAround({ run }: Context, { peers }: Regions) {
  const { vendor, id } = run.connection
  return Promise.all(
    peers.map(async ({ ledger }) => {
      const item = await ledger.read(vendor, id).catch(() => undefined)
      return item?.standing
    }),
  )
}

/** What another region holds, once it can send nothing any more. */
interface Met {
  readonly region: string
  readonly peer: Peer
  readonly item: LedgerItem
  readonly found: Found | undefined
}

/**
 * After a take-over, and until every other region has heard of it:
 *
 *     tell each that it is over ─ fetch the newest pair of the one that was at work ─ write it here
 *     not reached: go on with what is held here, in doubt unless it was certainly not sent
 */
async function succeed(
  found: Found | undefined,
  context: Context,
  regions: Regions,
  taking: TakingOver,
): Promise<Begun> {
  const { ledger } = context
  const met: Met[] = []
  const without: string[] = []
  const isFirst = !taking.settled
  for (const peer of regions.peers) {
    if (!isFirst && !taking.without.includes(peer.region)) continue
    const meeting = await meetIfReached(peer, context)
    if (meeting === undefined) without.push(peer.region)
    else if ('peer' in meeting) met.push(meeting)
    // Whatever is at work there sends nothing any more, and what is held here is good.
    else if (meeting.isPassing && !isFirst && !isSent(found, context)) without.push(peer.region)
    else return meeting
  }
  const before = formerly(context, regions)
  const from = before.region
  const theirs = met.find(({ region }) => region === from)
  if (theirs !== undefined) {
    ledger.stage((item) => unsent(furthered(item, theirs), theirs, without.length === 0))
  }
  const isLate = taking.without.includes(from)
  const chosen = await choose(found, theirs, isLate, context)
  if (chosen === 'not yet') return { ending: soon(from, context) }
  const taken = { from: before, without, settled: true }

  let held = found
  if (chosen !== 'own') {
    const { item } = theirs as Met
    const written = await bring(chosen, found, context, (own, to) =>
      fromPeer(own, item, chosen, to),
    )
    if ('ending' in written) return written
    held = written.found
  } else if (isFirst && found !== undefined && !isWritten(newestOf(found), context)) {
    const newest = newestOf(found)
    // Not heard, and not settled without before: any of these may have sent what is held here.
    const unheard = theirs === undefined && from !== regions.own ? [...without, from] : without
    const isKnown = unheard.every((region) => taking.without.includes(region))
    const isDoubtful = !isKnown && !isUnsent(newest, context)
    const written = await bring(newest, found, context, (own, to) =>
      isDoubtful
        ? doubted(own, newest, to, context)
        : moved(theirs === undefined ? own : spentAlso(own, theirs.item), newest, to),
    )
    if ('ending' in written) return written
    held = written.found
  }
  await ledger.commit(({ takingOver: _, ...item }) =>
    without.length === 0 ? item : { ...item, takingOver: taken },
  )
  return { found: held }
}

/** Tells a region that it is over there, and reads what it holds, once no run is at work there any more. */
async function meet(
  peer: Peer,
  context: Context,
): Promise<Met | { readonly ending: Ending; readonly isPassing: boolean }> {
  const { run, ports } = context
  const { vendor, id } = run.connection
  const before = await peer.ledger.read(vendor, id)
  const regions = ports.regions as Regions
  await remember(before?.standing, context, regions)
  const mine = standingOf(context, regions)
  // Once told, it is not interrupted again: its ticks stand by, and were else never done with that.
  const isTold = before?.takingOver === undefined && isSame(before?.standing, mine)
  const higher = isTold ? undefined : await write(peer, mine, context)
  if (higher !== undefined) return { ending: standDown(higher, context), isPassing: false }
  const item =
    (await peer.ledger.read(vendor, id)) ?? newItem({ vendor, connection: id }, ports.clock.now())
  // A run at work there writes nothing more into its ledger; what it has been given is waited for.
  if (isLeased(item, ports.clock.now())) {
    return { ending: busy(peer, item, context), isPassing: true }
  }
  const found = await readHeld(id, item, peer)
  return { region: peer.region, peer, item, found }
}

/** Who was at work before, as far as it is known by now. */
function formerly({ ledger }: Context, { first }: Regions): Standing {
  return ledger.item.takingOver?.from ?? { epoch: 0, region: first }
}

/**
 * This ledger may not have known who was at work. What another one knows is written down before it is
 * overwritten there.
 */
async function remember(known: Standing | undefined, context: Context, regions: Regions) {
  const mine = standingOf(context, regions)
  if (known === undefined || outranks(known, mine)) return
  if (known.region === regions.own || !outranks(known, formerly(context, regions))) return
  await context.ledger.commit((item) => ({
    ...item,
    takingOver: { without: [], settled: false, ...item.takingOver, from: known },
  }))
}

/**
 * A region that says nothing at all, asked thrice, is gone. One that answers some calls is there: it gets
 * some minutes to answer the others, as what it holds is worth more than a doubt.
 */
async function meetIfReached(peer: Peer, context: Context) {
  const { ports, ledger } = context
  let isThere = false
  const listened: Peer = {
    ...peer,
    ledger: {
      ...peer.ledger,
      async read(...args) {
        const answer = await peer.ledger.read(...args)
        isThere = true
        return answer
      },
    },
  }
  for (let attempt = 1; attempt <= 3; attempt++) {
    try {
      return await meet(listened, context)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (attempt < 3) await ports.clock.sleep(ports.timings.escrowAfterSeconds)
    }
  }
  const isWaitedFor = isThere && ledger.item.attempts < looks
  return isWaitedFor ? { ending: soon(peer.region, context), isPassing: true } : undefined
}

/**
 * What is carried on with: the document of the region which was at work, unless it is used up and ours
 * is not; with the credential that a person has written here since, if one has.
 */
async function choose(
  found: Found | undefined,
  theirs: Met | undefined,
  isLate: boolean,
  { run, ports, ledger }: Context,
): Promise<Enrollment | 'own' | 'not yet'> {
  if (theirs?.found === undefined) return 'own'
  const { id } = run.connection
  const newest = newestOf(theirs.found)
  const both = spentAlso(ledger.item, theirs.item)
  const isUsed = ({ tokens }: Enrollment) => wasSent(both, tokens)
  if (found === undefined) return newest
  const own = newestOf(found)
  if (isLate && (!isUsed(own) || isUsed(newest))) return 'own'
  const { credential, credentialId } = own
  const isLater = async (mine: Enrollment, other: Enrollment, { secrets }: Peer) => {
    const secretId = enrollmentSecretId(id)
    const [here, there] = await Promise.all([
      ports.secrets.read(secretId, mine.credentialId),
      secrets.read(secretId, other.credentialId),
    ])
    const [at, before] = [here?.createdAt, there?.createdAt]
    return at !== undefined && before !== undefined && at > before
  }
  // Somebody has enrolled or edited here since anybody did so there.
  const isNewer = credentialId !== newest.credentialId && (await isLater(own, newest, theirs.peer))
  if (isNewer && (isLate || !isUsed(own))) return 'own'
  const chosen = isNewer ? { ...newest, credential, credentialId } : newest
  if (!isUsed(newest)) return chosen
  const isStale = theirs.item.intent === undefined && theirs.item.versionId !== newest.versionId
  if (isStale && ledger.item.attempts < looks) return 'not yet'
  return isUsed(own) ? chosen : 'own'
}

function isSame(one: Standing | undefined, other: Standing): boolean {
  return one?.epoch === other.epoch && one.region === other.region
}

function busy({ region }: Peer, { lease }: LedgerItem, { ports }: Context): Ending {
  return {
    outcome: 'blocked',
    message: `a run is at work in ${region}; what it gets is waited for`,
    dueAt: lease?.expiresAt ?? ports.clock.now(),
  }
}

function soon(region: string, { ports }: Context): Ending {
  return {
    outcome: 'blocked',
    message: `what ${region} holds is not to be seen yet`,
    dueAt: later(ports.clock.now(), ports.timings.leaseSeconds),
  }
}
