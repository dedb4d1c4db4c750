import { type SetClock, setClock } from '../../lib/core/clock.ts'
import type { HttpAnswer, HttpRequest } from '../../lib/core/vendor.ts'
import type { Chance } from './chance.ts'
import type { SimulatedCloud } from './cloud.ts'
import { type Course, storeAway, storeCourse, vendorAway, vendorCourse } from './courses.ts'
import type { Fate } from './fate.ts'
import type { Instant, Timeline } from './timeline.ts'
import type { Troubles } from './troubles.ts'
import { type Service, storeTroubles, vendorTroubles, type Weather } from './weather.ts'

/** What all processes of one world share. */
export interface Surroundings {
  readonly timeline: Timeline
  readonly cloud: SimulatedCloud
  readonly weather: Weather
  readonly troubles: Troubles
  /** For how long calls take. */
  readonly chance: Chance
  /** Every call as it has its effect, and every answer; for a person to read. */
  readonly note: (who: string, what: string) => void
}

/** One process: an invocation of the function, or a person's command. */
export class Process {
  readonly clock: SetClock
  /** It met trouble of some kind. */
  isDisturbed = false
  readonly name: string
  readonly world: Surroundings
  private readonly fate: Fate
  private offMs: number
  private calls = 0
  private isDead = false
  private frozenUntil: Instant = 0

  constructor(name: string, world: Surroundings, fate: Fate) {
    this.name = name
    this.world = world
    this.fate = fate
    this.offMs = fate.offMs
    this.isDisturbed = fate.offMs !== 0
    this.clock = setClock({
      now: () => this.localTime(),
      sleep: (seconds) =>
        new Promise((resolve) => {
          world.timeline.at(world.timeline.now() + seconds * 1000, () => this.deliver(resolve))
        }),
    })
  }

  /** By its own clock, before any setting. */
  localTime(): Date {
    return new Date(this.world.timeline.now() + this.offMs)
  }

  remainingSeconds(): number {
    return (this.fate.endsAt - this.world.timeline.now()) / 1000
  }

  isGone(): boolean {
    return this.isDead || this.world.timeline.now() >= this.fate.endsAt
  }

  /** One call of a store, with all that may come of it; also of a store that the engine does not know. */
  store<R>(service: Service, name: string, effect: () => R): Promise<R> {
    const { timeline, weather, troubles, chance } = this.world
    const leaves = this.leaves(name)
    if (leaves === undefined) return gone()
    const usual = leaves + 2 + chance.fraction() * 20
    const now = timeline.now()
    if (weather.isAway(service, now)) {
      this.isDisturbed = true
      return this.go(name, storeAway(name, usual), effect)
    }
    const befallen = troubles.oneOf(storeTroubles, now)
    if (befallen === undefined) {
      return this.go(name, { effectAt: usual, answerAt: usual }, effect)
    }
    this.isDisturbed = true
    const met = storeCourse(befallen.trouble, befallen.chance, name, leaves, usual)
    return this.go(name, met, effect)
  }

  /** One call of a vendor, likewise. */
  vendor(request: HttpRequest, effect: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
    const { timeline, weather, troubles, chance } = this.world
    const name = `vendor: ${request.name}`
    const leaves = this.leaves(name)
    if (leaves === undefined) return gone()
    const usual = leaves + 30 + chance.fraction() * 200
    const now = timeline.now()
    if (weather.isAway('vendor', now)) {
      this.isDisturbed = true
      return this.go(name, vendorAway(usual), effect)
    }
    const befallen = troubles.oneOf(vendorTroubles, now)
    if (befallen === undefined) return this.go(name, { effectAt: usual, answerAt: usual }, effect)
    this.isDisturbed = true
    const { timeoutSeconds } = request
    const times = { leaves, usual, timeoutSeconds }
    const met = vendorCourse(befallen.trouble, befallen.chance, times, effect)
    return this.go(name, met.course, met.effect)
  }

  /** When the call leaves, or nothing if its process is no more. */
  private leaves(name: string): Instant | undefined {
    const { timeline, note } = this.world
    const { dies, freezes, jumps } = this.fate
    if (this.isGone()) return undefined
    const call = this.calls++
    const now = timeline.now()
    if (jumps?.call === call) {
      this.offMs = jumps.toMs
      this.isDisturbed = true
      note(this.name, `its clock jumps, and is ${Math.round(jumps.toMs / 1000)} s off`)
    }
    if (dies?.call === call) {
      this.isDisturbed = true
      if (!dies.isAfter) {
        this.isDead = true
        note(this.name, `dies before ${name}`)
        return undefined
      }
    }
    if (freezes?.call === call) {
      this.isDisturbed = true
      this.frozenUntil = now + freezes.ms
      note(this.name, `stands still for ${Math.round(freezes.ms / 1000)} s at ${name}`)
      if (!freezes.isAfter) {
        return this.frozenUntil < this.fate.endsAt ? this.frozenUntil : undefined
      }
    }
    // Counted already: of this call the answer is not seen any more.
    if (dies?.call === call) this.diesAtAnswer = true
    return now
  }
  private diesAtAnswer = false

  private go<R>(name: string, course: Course, effect: () => R | Promise<R>): Promise<R> {
    const { timeline, note } = this.world
    const { effectAt, answerAt, fails } = course
    const isDying = this.diesAtAnswer
    this.diesAtAnswer = false
    const isPlain = effectAt === answerAt && fails === undefined && !isDying
    if (isPlain && this.frozenUntil <= timeline.now() && answerAt < this.fate.endsAt) {
      if (timeline.skip(answerAt)) {
        note(this.name, name)
        return attempt(effect)
      }
    }
    let result: Promise<R> | undefined
    if (effectAt !== undefined) {
      timeline.at(effectAt, () => {
        note(this.name, name)
        result = attempt(effect)
        // Whoever hears of it hears of it later.
        result.catch(() => undefined)
      })
    }
    return new Promise((resolve, reject) => {
      timeline.at(answerAt, () => {
        if (isDying) {
          this.isDead = true
          note(this.name, `dies after ${name}`)
          return
        }
        this.deliver(() => {
          if (fails === undefined) return resolve(result as Promise<R>)
          note(this.name, `${name}: ${fails.message}`)
          reject(fails)
        })
      })
    })
  }

  /** Lets the process go on, unless it is no more or stands still. */
  private deliver(goOn: () => void): void {
    if (this.isGone()) return
    const isFrozen = this.frozenUntil > this.world.timeline.now()
    if (isFrozen) this.world.timeline.at(this.frozenUntil, () => this.deliver(goOn))
    else goOn()
  }
}

/** What is given to a process that is no more. */
function gone<R>(): Promise<R> {
  return new Promise(() => {})
}

function attempt<R>(effect: () => R | Promise<R>): Promise<R> {
  try {
    return Promise.resolve(effect())
  } catch (error) {
    return Promise.reject(error)
  }
}
