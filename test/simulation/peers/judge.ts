import type { Http, Vendor } from '../../../lib/core/vendor.ts'
import type { FakeVendor } from '../../core/fake-vendors.ts'
import type { Contender } from './contender.ts'
import type { Pair, WatchedProcess } from './watched-process.ts'

/** What one contender came to; all counts. */
export const figureNames = [
  /** Tokens that readers were served. */
  'rotations',
  /** Enrollments by a person although some process or store had what was needed: the next two together. */
  'losses',
  /** Some process had the pair and lived to hear of a store, and yet it is gone. */
  'lostPairs',
  /** What is stored is still good at the vendor; it was given up, or got stuck. */
  'givenUpAlive',
  /** Enrollments because the pair reached no process that lived to hear of a store: nobody had it. */
  'answersLost',
  /** Refresh tokens presented again, other than once when the pair they bought is nowhere. */
  'doubleSpends',
  /** Minutes at which the vendor refuses what readers are served. */
  'staleReads',
  /** Those of them at which no person was asked or on their way. */
  'staleUnasked',
] as const

export type Figures = Record<(typeof figureNames)[number], number>

export function noFigures(): Figures {
  return Object.fromEntries(figureNames.map((name) => [name, 0])) as Figures
}

// Of a chain only the last pairs matter.
const pairsKept = 8

/**
 * Judges a contender by what the vendor saw and what readers met, and by nothing that only one of them
 * has: the same code for all.
 */
export class OutsideJudge {
  readonly figures = noFigures()
  /** Minutes for which readers have been refused, since a person last enrolled. */
  refusedFor = 0
  private readonly fake: FakeVendor
  private readonly contender: Contender
  private readonly note: (what: string) => void
  private readonly pairs: Pair[] = []
  private readonly firstSender = new Map<string, WatchedProcess>()
  private readonly served = new Set<string>()
  private speaker: WatchedProcess | undefined
  private presented: string | undefined

  constructor(fake: FakeVendor, contender: Contender, note: (what: string) => void) {
    this.fake = fake
    this.contender = contender
    this.note = note
    const counts = fake.presented
    const set = counts.set.bind(counts)
    counts.set = (token, times) => {
      this.presents(token, times)
      return set(token, times)
    }
  }

  /** The vendor's side of a process's calls. */
  vendorOf(process: WatchedProcess): () => Http {
    const http = this.fake.http()
    return () => ({
      ...http,
      request: (request) => {
        const before = this.fake.tip()
        this.speaker = process
        this.presented = undefined
        // A fake has done its work as soon as it is called.
        const answer = http.request(request)
        const after = this.fake.tip()
        if (this.presented !== undefined && after !== undefined && after !== before) {
          this.pairs.push({ refreshToken: after, parent: this.presented, couldBeKept: false })
          if (this.pairs.length > pairsKept) this.pairs.shift()
        }
        return answer
      },
    })
  }

  /** The process's side of them: what arrives is in its hand. */
  watched(vendor: Vendor, process: WatchedProcess): Vendor {
    return {
      ...vendor,
      connect: (connection, credential, http) =>
        vendor.connect(connection, credential, {
          ...http,
          request: async (request) => {
            const answer = await http.request(request)
            for (const pair of this.pairs) {
              if (answer.text.includes(pair.refreshToken)) process.receives(pair)
            }
            return answer
          },
        }),
    }
  }

  private presents(token: string, times: number) {
    const { speaker } = this
    if (speaker === undefined) return
    this.presented = token
    const first = this.firstSender.get(token)
    if (first === undefined) {
      this.firstSender.set(token, speaker)
      return
    }
    const isElsewhere = first !== speaker && !first.isOver && !first.isGone()
    if (times === 2 && !isElsewhere && !this.isStored(token)) return
    this.figures.doubleSpends++
    this.note(`DOUBLE SPEND, the ${times}. time`)
  }

  /** Whether a pair that this token bought is in some store. */
  private isStored(token: string): boolean {
    const texts = this.contender.stored()
    return this.pairs.some(
      ({ parent, refreshToken }) =>
        parent === token && texts.some((text) => text.includes(refreshToken)),
    )
  }

  everyMinute(isSomebodyComing: boolean) {
    const token = this.contender.served()
    if (token === undefined) return
    if (!this.served.has(token)) {
      this.served.add(token)
      this.figures.rotations++
    }
    if (this.fake.isAlive(token)) {
      this.refusedFor = 0
      return
    }
    this.refusedFor++
    this.figures.staleReads++
    if (!isSomebodyComing) this.figures.staleUnasked++
  }

  /** A person is at the console because they have to be: was that to be avoided? */
  needed() {
    const why = this.whyNeeded()
    this.figures[why]++
    if (why !== 'answersLost') this.figures.losses++
    this.note(`ENROLLMENT, ${why}`)
  }

  private whyNeeded(): 'lostPairs' | 'givenUpAlive' | 'answersLost' {
    const tip = this.fake.tip()
    const taken = this.fake.taken?.() ?? (tip === undefined ? [] : [tip])
    const texts = this.contender.stored()
    if (taken.some((token) => texts.some((text) => text.includes(token)))) return 'givenUpAlive'
    const last = this.pairs.at(-1)
    const couldBeKept = this.pairs.some((pair) => pair.parent === last?.parent && pair.couldBeKept)
    return couldBeKept ? 'lostPairs' : 'answersLost'
  }

  /** A new chain begins; it is in a person's hand, who does not lose it. */
  consoleGave(refreshToken: string) {
    this.refusedFor = 0
    this.pairs.length = 0
    this.pairs.push({ refreshToken, couldBeKept: true })
  }
}
