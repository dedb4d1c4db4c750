import { introspect, keepAlive, withoutSession } from './ask.ts'
import { begin } from './begin.ts'
import { type Blocked, canAskAtWill, decide } from './decide.ts'
import { type Enrollment, enrollmentSecretId, type Issued } from './documents.ts'
import { ConfigError, LeaseHeldError, StoreError, TokenAtRiskError } from './errors.ts'
import { grant } from './grant.ts'
import { openLedger } from './lease.ts'
import { doubtMoved, isAsked, isHandedBack, type LedgerItem, settled } from './ledger.ts'
import { persist, untilRunEnds } from './persist.ts'
import { type Held, type Publication, verifyAndPublish } from './publish.ts'
import { escrowName, type Found, noticeLostLedger, readHeld } from './read-held.ts'
import { conclude, type Ending, failed, type Outcome } from './release.ts'
import { later, type Timings, withinWindow } from './renewal.ts'
import { retire, supersededBy } from './retire.ts'
import type { Context, Ports, Run } from './run.ts'
import type { TokenSet, VendorClient } from './vendor.ts'
import { noticed } from './verify.ts'
import { successorId } from './version-id.ts'

// Kept back of a run's time, so that a pair that no store took is at least told.
const tellingSeconds = 5

// Adopt, renew, publish, retire, and again after a refusal: no run needs more; the rest is the next tick's.
const mostTurns = 8

/**
 * One run, in the order of the design:
 *
 *     lease ─ read ─ decide ─ grant ─ persist ─ promote ─ verify ─ publish ─ retire ─ release ‖ emit
 *
 * Safe to repeat at any time, also after a crash at any point. Every expected result is a value.
 */
export async function rotate(run: Run, ports: Ports): Promise<Outcome> {
  const connection = run.connection.id
  try {
    const ledger = await openLedger(run, ports)
    if (ledger === undefined) return { connection, outcome: 'lease-held' }
    const context = { run, ports, ledger }
    return await conclude(await attempt(context), context)
  } catch (error) {
    // The lease is lost: whoever holds it now carries on from what is stored.
    if (error instanceof LeaseHeldError) return { connection, outcome: 'lease-held' }
    return { connection, ...failed(error) }
  }
}

async function attempt(context: Context): Promise<Ending> {
  const open: { client?: VendorClient } = {}
  try {
    return await steps(context, open)
  } catch (error) {
    if (error instanceof LeaseHeldError) throw error
    if (error instanceof ConfigError)
      return { ...failed(error, 'configuration'), outcome: 'blocked' }
    return failed(error, error instanceof TokenAtRiskError ? 'token-at-risk' : undefined)
  } finally {
    await open.client?.close()
  }
}

async function steps(context: Context, open: { client?: VendorClient }): Promise<Ending> {
  const { run, ports, ledger } = context
  const { connection, vendor } = run
  let ending: Ending = { outcome: 'unchanged' }
  let canIntrospect = true
  const begun = await begin(context)
  if ('ending' in begun) return begun.ending
  let { found } = begun
  if (found !== undefined) await noticeLostLedger(found, context)

  for (let turn = 0; turn < mostTurns; turn++) {
    // After a refusal, or when the store moved on: look again before anything is given up.
    found ??= await readHeld(connection.id, ledger.item, ports)
    if (found === undefined) return unenrolled(connection.id)
    if (found.newest.in !== 'current') {
      found = await adopt(found, context)
      ending = { ...ending, outcome: 'resumed' }
      continue
    }
    const held = found.current
    if (isHandedBack(ledger.item, held)) ledger.stage((item) => settled(item, held))
    await open.client?.close()
    const client = ports.connect(connection, vendor, held)
    open.client = client
    const situation = { grants: client.grants, held, item: ledger.item, now: ports.clock.now() }
    const decision = decide({
      ...situation,
      connection,
      forced: isAsked(ledger.item, held),
      canIntrospect: canIntrospect && client.introspect !== undefined,
      timings: ports.timings,
      idleSeconds: vendor.idleSeconds,
    })
    switch (decision.do) {
      case 'skip':
        return { ...ending, dueAt: decision.until }
      case 'blocked':
        return blocked(decision, ending)
      case 'renew': {
        const granted = await grant(decision, held, context)
        // What the vendor said was about the sending before.
        canIntrospect = true
        if ('ending' in granted) return granted.ending
        if ('error' in granted) {
          ending = { ...ending, error: granted.error }
          const { kept } = granted
          if (kept === undefined || canAskAtWill(situation)) {
            found = undefined
            break
          }
          const superseded = supersededBy(kept, held, decision.grant, client, ledger.item)
          found = await keep(kept, superseded, found, context)
          // The next run asks with it: what spoils the answers may spoil the next one too.
          if (found !== undefined)
            return { ...ending, outcome: 'failed', message: granted.error.message }
          break
        }
        const { tokens } = granted
        const outcome = decision.probe ? 'recovered' : 'rotated'
        if (decision.grant.keeps === 'nothing') {
          return verifyAndPublish(unheld(tokens, held, context), client, outcome, context)
        }
        const superseded = supersededBy(tokens, held, decision.grant, client, ledger.item)
        found = await keep(tokens, superseded, found, context)
        if (found === undefined) break
        const published = await verifyAndPublish(isHeld(found.current), client, outcome, context)
        if (!isHome(found.current, context)) return comingBack(published)
        if (!isRejected(found.current, context)) return published
        ending = published
        break
      }
      case 'publish': {
        const outcome = ending.outcome === 'resumed' ? 'resumed' : 'published'
        const published = await verifyAndPublish(isHeld(held), client, outcome, context)
        if (decision.blocked !== undefined) return blocked(decision.blocked, comingBack(published))
        if (!isRejected(held, context)) return published
        ending = published
        break
      }
      case 'keep-alive': {
        const sign = await keepAlive(held as Held, client, context)
        if (sign === undefined) found = { ...found, current: withoutSession(held) }
        else {
          const news = noticed(sign, ledger.item.facts, ports.clock.now())
          ending = { ...ending, outcome: 'kept-alive', ...news }
        }
        break
      }
      case 'introspect':
        canIntrospect = false
        await introspect(held, client, context)
        // Before anything is given up: a person may have enrolled meanwhile.
        found = undefined
        break
      case 'retire':
        await retire(held, client, context)
        ending = { ...ending, outcome: 'retired' }
        break
    }
  }
  return { ...ending, outcome: 'failed', message: 'the store kept changing under this run' }
}

/** Whether the enrollment secret has the pair; if only the escrow does, the next tick brings it home. */
function isHome({ versionId }: Enrollment, { ledger }: Context): boolean {
  return ledger.item.versionId === versionId
}

/** Whether the vendor has just refused this token: it is renewed at once. */
function isRejected({ versionId }: Enrollment, { ledger }: Context): boolean {
  return ledger.item.rejected === versionId
}

function blocked({ until, cause, message: why }: Blocked, ending: Ending): Ending {
  // What the vendor said in this run tells a person more than that it said no.
  const message = ending.error === undefined ? why : `${why}: ${ending.error.message}`
  return {
    ...ending,
    outcome: 'blocked',
    message,
    ...(cause === undefined ? {} : { cause }),
    ...(until === undefined ? {} : { dueAt: until }),
  }
}

function comingBack({ dueAt: _, ...ending }: Ending): Ending {
  return ending
}

function isHeld(document: Enrollment): Publication {
  return { document: document as Held, isHeld: true }
}

/** Tokens that can be had again at will are published and nothing more; the run names them, as no other can. */
function unheld(tokens: TokenSet, held: Enrollment, { run }: Context): Publication {
  const versionId = successorId(`${held.versionId}/${run.runId}`)
  return { document: { ...held, versionId, tokens, superseded: [] }, isHeld: false }
}

/** Makes a pair that an earlier run left behind the current one. */
async function adopt(found: Found, context: Context): Promise<Found | undefined> {
  const { current, newest } = found
  if (newest.in === 'current') return found
  if (newest.in === 'version' && current.fence !== undefined) {
    const { enrollment, tip } = newest
    return promote(enrollment, tip, current.versionId, context)
  }
  // The current version was edited by a person, or the pair stands in the escrow: a new version is
  // written, with their credentials and this pair.
  const { tokens, superseded } = newest.in === 'version' ? newest.enrollment : newest.escrowed
  context.ledger.stage((item) => doubtMoved(item, tokens, successorId(found.tip)))
  return keep(tokens as Issued, superseded, found, context)
}

/** Persist and promote: from here on no crash can lose the pair. */
async function keep(
  tokens: Issued,
  superseded: readonly TokenSet[],
  found: Found,
  context: Context,
): Promise<Found | undefined> {
  const { run, ports, ledger } = context
  const { current, tip } = found
  const { credential, credentialId } = current
  const versionId = successorId(tip)
  const next = {
    versionId,
    credential,
    credentialId,
    tokens,
    superseded,
    fence: ledger.item.fence,
    ...written(ledger.item),
  }
  const { connection } = run
  const deadline = later(ledger.deadline, -tellingSeconds)
  const where = await persist(next, tip, { connection, deadline, ...ports })
  if (where === 'conflict') return undefined
  const kept: Found = { current: next, tip: versionId, newest: { in: 'current' } }
  if (where === 'escrow') return kept
  ledger.stage((item) => wrote(item, ports.clock.now(), ports.timings))
  const promoted = await promote(next, versionId, current.versionId, context)
  await ports.parameters.remove(escrowName(connection.id)).catch(() => undefined)
  return promoted
}

/** Moves the label from the version that was read: a version that a person wrote meanwhile stays. */
async function promote(
  enrollment: Enrollment,
  tip: string,
  from: string,
  context: Context,
): Promise<Found | undefined> {
  const { run, ports, ledger } = context
  const { versionId, tokens } = enrollment
  const secretId = enrollmentSecretId(run.connection.id)
  const moved = await untilRunEnds(
    () => ports.secrets.promote(secretId, { from, to: versionId }),
    context,
  )
  ledger.stage((item) => settled(item, { versionId, tokens }))
  if (moved === 'superseded') {
    // What is looked for next is there, and may not be seen yet.
    await untilRunEnds(async () => {
      if ((await ports.secrets.read(secretId, versionId)) !== undefined) return
      throw new StoreError(`the version just written to ${secretId} is not to be seen yet`, 'retry')
    }, context)
    return undefined
  }
  return { current: enrollment, tip, newest: { in: 'current' } }
}

/** From the first take-over on, a document says in which region it was written. */
function written({ standing }: LedgerItem): Pick<Held, 'standing'> {
  return standing === undefined || standing.epoch === 0 ? {} : { standing }
}

function wrote(item: LedgerItem, now: Date, timings: Timings): LedgerItem {
  return { ...item, enrollmentWrites: [...withinWindow(item.enrollmentWrites, now, timings), now] }
}

function unenrolled(connection: string): Ending {
  return {
    outcome: 'unenrolled',
    message: `the secret ${enrollmentSecretId(connection)} has no value; run: token-rotator enroll ${connection}`,
  }
}
