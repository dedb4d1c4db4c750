import type { Connection } from '../../lib/core/connection.ts'
import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import type { RotatorEvent } from '../../lib/core/events.ts'
import { mirrorName } from '../../lib/core/publish.ts'
import { escrowName } from '../../lib/core/read-held.ts'
import { defaultTimings, nearlyOutAt, renewAt } from '../../lib/core/renewal.ts'
import type { SimulatedCloud } from './cloud.ts'
import { ConsumerView, type Served } from './consumer-view.ts'
import type { Loss } from './losses.ts'
import { Pages } from './pages.ts'
import { isAnnouncedTwice, isHeld, isStored, takenBy } from './pairs.ts'
import type { Settled, Species } from './subjects.ts'
import type { Instant, Timeline } from './timeline.ts'

/** One connection of a world, with all that judges it. */
export interface Subject extends Settled {
  readonly connection: Connection
  readonly species: Species
}

// Longer than the lease of a run that died, a back-off after it, and two ticks.
const aftermathMs = 30 * 60_000
const leaseMs = 360_000
// Between a run's last look at the stores and what it tells.
const lookMs = 60_000

/** Watches one connection, and tells of every breach of the design's invariants at the moment it is made. */
export class Judge {
  spends = 0
  readonly subject: Subject
  private readonly cloud: SimulatedCloud
  private readonly timeline: Timeline
  private readonly breach: (loss: Loss, why: string) => void
  private readonly enrollmentId: string
  private readonly consumerId: string
  /** Ledger items that a person deleted: with each of them goes the record of one sending. */
  private deletedItems = 0
  private readonly pages = new Pages()
  private deadSince: Instant | undefined
  private hopelessUntil: Instant = 0
  private enrolledAt: Instant = 0
  private isForgotten = false
  /** When the ledger item was deleted: a run that was at work then tells what it knows. */
  private forgottenAt: Instant = 0
  private isRestored = false
  private readonly view = new ConsumerView()
  /** When the last undisturbed run began that got to work. */
  private wholeRunAt: Instant = 0
  private staleToken: string | undefined
  private edit: string | undefined

  constructor(
    subject: Subject,
    world: {
      cloud: SimulatedCloud
      timeline: Timeline
      breach: (loss: Loss, why: string) => void
    },
  ) {
    this.subject = subject
    this.cloud = world.cloud
    this.timeline = world.timeline
    this.breach = world.breach
    this.enrollmentId = enrollmentSecretId(subject.connection.id)
    this.consumerId = consumerSecretId(subject.connection.id)
    this.watchPresentations()
  }

  /** Invariant 1: no token twice, except the one probe of a token whose pair is nowhere. */
  private watchPresentations() {
    const { presented } = this.subject.fake
    const set = presented.set.bind(presented)
    presented.set = (token, times) => {
      this.spends++
      if (times > 1) this.oneSpend(token, times)
      return set(token, times)
    }
  }

  private oneSpend(token: string, times: number) {
    // What a person put in place of everything else is followed alone, also while its answer is missing.
    if (times === 2 && (!this.isStored() || this.isPutThere(token))) return
    if (this.deletedItems-- > 0) return
    this.breach('doubleSpends', `a refresh token is presented for the ${times}. time`)
  }

  private isPutThere(token: string): boolean {
    const { refreshToken, writtenAs } = JSON.parse(this.current(this.enrollmentId) ?? '{}')
    const current = this.cloud.secret(this.enrollmentId).current.at(-1)?.id
    return refreshToken === token && writtenAs !== current
  }

  /** Invariant 2, in the end: what some store has of the vendor's is what the connection holds. */
  noPairLost() {
    if (!this.holds() && this.isStored()) {
      this.breach('lostPairs', 'a pair that the vendor takes is stored, and not held')
    }
  }

  /**
   * Invariant 3, as a consumer reads. Excused is who had no chance: no undisturbed run since the token
   * was due, and trouble within the time that a lease and a back-off may take.
   */
  freshOrRefused(lastTroubleAt: Instant) {
    const now = this.timeline.now()
    const isMisled = this.isForgotten || this.isRestored
    if (isMisled && this.item()?.versionId !== undefined && this.isOwn() && this.holds()) {
      this.isForgotten = false
      this.isRestored = false
    }
    const served = this.served()
    if (served === undefined || this.isHopeless()) {
      this.deadSince = undefined
      this.hopelessUntil = now
      return
    }
    if (!this.subject.fake.isAlive(served.token)) {
      this.deadSince ??= now
      const calmSince = Math.max(lastTroubleAt, this.hopelessUntil)
      const hadChance = this.wholeRunAt > this.deadSince || now - calmSince > aftermathMs
      if (hadChance) this.stale(served, 'a consumer reads a token that the vendor refuses')
      return
    }
    this.deadSince = undefined
    // All is well again, though a run that could write nothing down may have told of it.
    if (this.pages.areOpen() && this.isWell()) this.pages.forget()
    const { issuedAt, expiresAt } = served
    if (expiresAt === null || now < nearlyOutAt(served, defaultTimings).getTime()) return
    // A doubt is waited out until the token is nearly out, and an enrollment is a tick old at first.
    if (this.item()?.intent !== undefined || now - this.hopelessUntil < leaseMs) return
    const due = renewAt(this.subject.connection, { issuedAt, expiresAt }, defaultTimings).getTime()
    if (this.wholeRunAt > due + leaseMs || lastTroubleAt < due - leaseMs) {
      this.stale(served, 'a consumer reads a token with less than half of its margin left')
    }
  }

  private stale({ token }: Served, why: string) {
    if (this.staleToken === token) return
    this.staleToken = token
    this.breach('staleReads', why)
  }

  /** Invariants 4 and 6, as somebody is told. @returns whether a new enrollment is indeed what is needed */
  hears(event: RotatorEvent): boolean {
    const heard = this.pages.hears(event)
    if (heard === 'nothing' || heard === 'delivered again') return false
    const { cause } = event.detail
    // Of a run that still knows the item that a person has deleted; the next one does not.
    const isForgotten = this.timeline.now() - this.forgottenAt < leaseMs
    if (isForgotten) this.pages.forget()
    else if (heard === 'told again') this.breach('duplicatePages', `told again: ${cause}`)
    if (cause !== 'enrollment-required') return false
    // Whoever looked a moment ago could not know.
    if (this.timeline.now() - this.enrolledAt < lookMs) return false
    if (!this.isHopeless()) {
      this.breach('falseDead', 'a person is asked to enroll what is not dead')
      return false
    }
    return true
  }

  /** Invariant 2, of people: what they wrote by hand is never overwritten, but by what people do. */
  noEditLost() {
    const note = this.edit
    if (note !== undefined && !this.current(this.enrollmentId)?.includes(note)) {
      this.breach('lostEdits', 'what a person wrote into the enrollment secret is gone')
    }
  }

  /** Told after the edit, which begins with what stood there: the one before is still in it. */
  editedByHand(note: string) {
    this.noEditLost()
    this.edit = note
  }

  /** Invariant 5: what others may look at holds nothing of what is held. */
  noSecretLeaves(sinks: string) {
    for (const { text } of this.cloud.secret(this.enrollmentId).versions.values()) {
      const { refreshToken, accessToken, password, clientSecret } = JSON.parse(text)
      for (const value of [refreshToken, accessToken, password, clientSecret]) {
        if (value !== undefined && sinks.includes(value)) {
          return this.breach('leaks', 'a credential stands where others look')
        }
      }
    }
  }

  /** Invariant 7: whether consumers and the rotator have what the vendor takes, and nobody waits for anything. */
  isWell(): boolean {
    const item = this.item()
    if (item === undefined || item.intent !== undefined) return false
    // A day's versions are used up: the mirror serves, and nothing but time gives more.
    const isOpen = item.incident?.told.some((cause) => cause !== 'version-budget') ?? false
    return !isOpen && this.isServed() && this.holds()
  }

  /** Whether a reader is served by a living token at least; a doubt may still be open. */
  isServed(): boolean {
    const served = this.served()
    return served !== undefined && this.subject.fake.isAlive(served.token)
  }

  /** What cannot be had: the vendor's pair is nowhere, nothing else restarts the chain, and a person knows. */
  isPastHelp(): boolean {
    const told = this.item()?.incident?.told ?? []
    return told.includes('enrollment-required') && this.isHopeless()
  }

  worked(startedAt: Instant, isDisturbed: boolean) {
    if (!isDisturbed) this.wholeRunAt = startedAt
  }

  /** What an enrollment did not mend is news. */
  enrolled() {
    this.enrolledAt = this.timeline.now()
    this.isForgotten = true
    this.edit = undefined
    this.pages.forget(['enrollment-required', 'token-at-risk', 'configuration'])
  }

  /** A person has put an older version back. */
  restored() {
    this.isRestored = true
    this.edit = undefined
  }

  /** Consumers are about to read in another region; what the one so far has told, it has told. */
  moves() {
    this.noEditLost()
    this.edit = undefined
    this.pages.forget()
    this.deadSince = undefined
    this.wholeRunAt = 0
  }

  ledgerItemDeleted() {
    // Whatever a person then puts into the secret counts as new: it is sent, and repeated once.
    this.deletedItems += 2
    this.isForgotten = true
    this.forgottenAt = this.timeline.now()
    // With the record goes what was told: it is news again.
    this.pages.forget()
  }

  item() {
    return this.cloud.items.get(this.subject.connection.id)
  }

  /** Whether nothing but a person helps. */
  isHopeless(): boolean {
    // No record, and a version put back from before the last enrollment: nothing leads to the newer one.
    if (this.isForgotten && this.isRestored) return true
    if (this.subject.species.restarts) return false
    return !this.isStored() || isAnnouncedTwice(this.item(), takenBy(this.subject.fake))
  }

  /** Whether any store has a refresh token that the vendor would take. */
  private isStored(): boolean {
    return isStored(takenBy(this.subject.fake), this.stored())
  }

  /** What the stores have, beginning with where a pair nearly always is. */
  private *stored(): Generator<string> {
    yield this.cloud.parameters.get(escrowName(this.subject.connection.id)) ?? ''
    yield this.current(this.enrollmentId) ?? ''
    for (const { text } of this.cloud.secret(this.enrollmentId).versions.values()) yield text
  }

  private holds(): boolean {
    const { refreshToken } = JSON.parse(this.current(this.enrollmentId) ?? '{}')
    return isHeld(refreshToken, this.subject.fake)
  }

  /** Whether a run has written what is current. */
  private isOwn(): boolean {
    return JSON.parse(this.current(this.enrollmentId) ?? '{}').fence !== undefined
  }

  private current(secretId: string): string | undefined {
    const secret = this.cloud.secret(secretId)
    return secret.versions.get(secret.current.at(-1)?.id ?? '')?.text
  }

  private served(): Served | undefined {
    const secret = this.cloud.secret(this.consumerId)
    const id = secret.current.at(-1)?.id
    const text = secret.versions.get(id ?? '')?.text
    const mirror = this.cloud.parameters.get(mirrorName(this.subject.connection.id))
    return this.view.look({ id, text, mirror })
  }
}
