import { type SetClock, setClock } from '../../lib/core/clock.ts'
import { StoreError, TransportError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import type { Http, HttpAnswer, HttpRequest } from '../../lib/core/vendor.ts'
import type { Chance } from './chance.ts'
import type { SimulatedCloud } from './cloud.ts'
import type { Instant, Timeline } from './timeline.ts'
import type { Troubles } from './troubles.ts'
import {
  type Service,
  type StoreTrouble,
  storeTroubles,
  vendorTroubles,
  type Weather,
} from './weather.ts'

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

/** What befalls a process, decided as it starts; calls are counted from 0. */
export interface Fate {
  /** Ended from outside at this instant: Lambda's time-out. */
  readonly endsAt: Instant
  readonly dies?: Moment
  readonly freezes?: Moment & { readonly ms: number }
  /** Milliseconds by which its own clock is wrong. */
  readonly offMs: number
  readonly jumps?: Moment & { readonly toMs: number }
}

/** Just before a call leaves, or just as its answer is there. */
export interface Moment {
  readonly call: number
  readonly isAfter: boolean
}

// The AWS clients' own limit for one try.
const storeTimeoutMs = 5000

/** What a store's client makes of no answer, and of being turned away. */
const unanswered = (name: string) => new StoreError(`${name} was not answered`, 'retry')
const throttled = (name: string) =>
  new StoreError(`${name} failed with ThrottlingException`, 'retry')

/** How one call goes, once it has left. */
interface Course {
  /** When it has its effect; never, if it is lost. */
  readonly effectAt?: Instant
  readonly answerAt: Instant
  /** What its caller gets instead of the answer. */
  readonly fails?: Error
}

/** One process: an invocation of the function, or a person's command. */
export class Process {
  readonly clock: SetClock
  /** It met trouble of some kind. */
  isDisturbed = false
  private readonly name: string
  private readonly world: Surroundings
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
      now: () => new Date(world.timeline.now() + this.offMs),
      sleep: (seconds) =>
        new Promise((resolve) => {
          world.timeline.at(world.timeline.now() + seconds * 1000, () => this.deliver(resolve))
        }),
    })
  }

  remainingSeconds(): number {
    return (this.fate.endsAt - this.world.timeline.now()) / 1000
  }

  isGone(): boolean {
    return this.isDead || this.world.timeline.now() >= this.fate.endsAt
  }

  /** The engine's ports, as this process has them. `fake` gives a connection's vendor. */
  ports(timings: Ports['timings'], fake: (connection: string) => () => Http): Ports {
    const { cloud, timeline, troubles } = this.world
    const asOf = () => {
      const lag = troubles.befalls('stale read', timeline.now())
      if (lag !== undefined) this.isDisturbed = true
      return timeline.now() - (lag === undefined ? 0 : lag.between(100, 5000))
    }
    const of = (secretId: string) => cloud.secret(secretId)
    return {
      timings,
      clock: this.clock,
      secrets: {
        read: (id, version) =>
          this.store('secrets', 'secrets.read', () => of(id).read(version, asOf())),
        currentId: (id) =>
          this.store('secrets', 'secrets.currentId', () => of(id).currentId(asOf())),
        put: (id, version, label) =>
          this.store('secrets', 'secrets.put', () => of(id).put(version, label, timeline.now())),
        promote: (id, move) =>
          this.store('secrets', 'secrets.promote', () => of(id).promote(move, timeline.now())),
      },
      ledger: {
        read: (_vendor, id) => this.ledger('ledger.read', () => cloud.items.get(id)),
        write: (item) => this.ledger('ledger.write', () => cloud.write(item)),
        dues: (vendor) => this.ledger('ledger.dues', () => cloud.dues(vendor)),
      },
      parameters: {
        read: (name) =>
          this.store('parameters', 'parameters.read', () => cloud.parameters.get(name)),
        write: (name, text) =>
          this.store('parameters', 'parameters.write', () => void cloud.parameters.set(name, text)),
        remove: (name) =>
          this.store('parameters', 'parameters.remove', () => void cloud.parameters.delete(name)),
      },
      events: {
        emit: (event) =>
          this.store('events', 'events.emit', () => {
            this.world.note(
              this.name,
              `tells: ${event.type} ${event.detail.cause ?? ''} ${event.idempotencyKey}`,
            )
            cloud.emit(event)
          }),
      },
      connect: (connection, vendor, { credential }) => {
        const http = fake(connection.id)()
        return vendor.connect(connection, credential, {
          request: (request) => this.vendor(request, () => http.request(request)),
          close: async () => {},
        })
      },
    }
  }

  /** A store's call that also tells the time. */
  private async ledger<R>(name: string, effect: () => R): Promise<R> {
    const { timeline } = this.world
    let answered = 0
    const call = this.store('ledger', name, () => {
      answered = timeline.now()
      return effect()
    })
    // Only now: a clock that jumps does so before the call.
    const sentAt = new Date(timeline.now() + this.offMs)
    const result = await call
    const receivedAt = new Date(timeline.now() + this.offMs)
    this.clock.set({ at: new Date(Math.floor(answered / 1000) * 1000), sentAt, receivedAt })
    return result
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
      return this.go(name, { answerAt: usual, fails: throttled(name) }, effect)
    }
    const befallen = troubles.oneOf(storeTroubles, now)
    if (befallen === undefined) {
      return this.go(name, { effectAt: usual, answerAt: usual }, effect)
    }
    this.isDisturbed = true
    return this.go(name, troubled(befallen.trouble, befallen.chance, name, leaves, usual), effect)
  }

  private vendor(request: HttpRequest, effect: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
    const { timeline, weather, troubles, chance } = this.world
    const name = `vendor: ${request.name}`
    const leaves = this.leaves(name)
    if (leaves === undefined) return gone()
    const usual = leaves + 30 + chance.fraction() * 200
    const now = timeline.now()
    const timeout = leaves + request.timeoutSeconds * 1000
    const unreachable = () =>
      this.go(
        name,
        { answerAt: usual, fails: new TransportError('could not connect', 'no') },
        effect,
      )
    if (weather.isAway('vendor', now)) {
      this.isDisturbed = true
      return unreachable()
    }
    const befallen = troubles.oneOf(vendorTroubles, now)
    if (befallen === undefined) return this.go(name, { effectAt: usual, answerAt: usual }, effect)
    this.isDisturbed = true
    const lost = new TransportError('no answer', 'maybe')
    // A connection is reset at once, or hangs until one's patience is over.
    const silence = befallen.chance.happens(0.5) ? usual : timeout
    const instead = (answer: Partial<HttpAnswer>) => () =>
      Promise.resolve({ ...nothing, ...answer })
    switch (befallen.trouble) {
      case 'unreachable':
        return unreachable()
      case 'request lost':
        return this.go(name, { answerAt: silence, fails: lost }, effect)
      case 'answer lost':
        return this.go(name, { effectAt: usual, answerAt: silence, fails: lost }, effect)
      case 'answer late': {
        const answerAt = leaves + befallen.chance.between(1, request.timeoutSeconds * 1300)
        const isTooLate = answerAt >= timeout
        const late = isTooLate ? { answerAt: timeout, fails: lost } : { answerAt }
        return this.go(name, { effectAt: Math.min(usual, late.answerAt), ...late }, effect)
      }
      case 'error before':
        return this.go(name, { effectAt: usual, answerAt: usual }, instead({ status: 503 }))
      case 'error after':
        return this.go(name, { effectAt: usual, answerAt: usual }, () =>
          effect().then(instead({ status: 502 })),
        )
      case 'answer cut':
        return this.go(name, { effectAt: usual, answerAt: usual }, () =>
          effect().then(instead({ status: 200, text: '{"acc', contentType: 'application/json' })),
        )
    }
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

function troubled(
  trouble: StoreTrouble,
  chance: Chance,
  name: string,
  leaves: Instant,
  usual: Instant,
): Course {
  const timeout = leaves + storeTimeoutMs
  switch (trouble) {
    case 'throttled':
      return { answerAt: usual, fails: throttled(name) }
    case 'request lost':
      return { answerAt: timeout, fails: unanswered(name) }
    case 'answer lost':
      return { effectAt: usual, answerAt: timeout, fails: unanswered(name) }
    case 'answer late': {
      const late = leaves + chance.between(100, storeTimeoutMs - 1)
      return { effectAt: chance.between(leaves + 1, late), answerAt: late }
    }
    case 'request late':
      return {
        effectAt: leaves + chance.between(100, 20_000),
        answerAt: timeout,
        fails: unanswered(name),
      }
  }
}

const nothing: HttpAnswer = { status: 0, contentType: '', headers: {}, text: '', json: undefined }

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
