import { enroll } from '../../lib/core/enroll.ts'
import { StoreError, TransportError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import type { Http, HttpAnswer, HttpRequest } from '../../lib/core/vendor.ts'
import { oauth2 } from '../../lib/vendors/oauth2.ts'
import type { FakeVendor } from '../core/fake-vendors.ts'
import { world } from '../core/world.ts'
import { type Habits, type NaiveDocument, type NaiveState, rotateNaively } from './naive.ts'

/** What befalls one token request; `serve` is the vendor doing its work. */
export type Fault = (
  serve: () => HttpAnswer,
  request: HttpRequest,
) => HttpAnswer | Promise<HttpAnswer>

type Body = Readonly<Record<string, unknown>>

export function reply(status: number, json: unknown): HttpAnswer {
  const text = json === undefined ? '' : JSON.stringify(json)
  return { status, json, text, contentType: 'application/json', headers: {} }
}

/** The vendor does its work, and nobody hears of it. */
export const answerLost: Fault = (serve) => {
  serve()
  throw new TransportError('no answer from the vendor', 'maybe')
}

/** The request is lost on its way, which looks the same from here. */
export const requestLost: Fault = () => {
  throw new TransportError('no answer from the vendor', 'maybe')
}

/** A first token, as a person brings it from the vendor's console. */
export const firstToken = 'refresh-token-0-by-hand'

export interface SceneOptions {
  readonly id?: string
  /** Life of an access token, in seconds. */
  readonly lifeSeconds?: number
  /** Life of a refresh token, in seconds; without it, for ever. */
  readonly refreshLifeSeconds?: number
  /** Whether a second use of a refresh token ends the whole grant (RFC 9700, 4.14.2). */
  readonly endsGrantOnReuse?: boolean
}

/** An authorization server whose refresh tokens are used up by their use. */
function singleUseServer(now: () => Date, options: SceneOptions) {
  const { lifeSeconds = 3600, refreshLifeSeconds, endsGrantOnReuse = true } = options
  const presented = new Map<string, number>()
  const living = new Map<string, Date>()
  const calls: Date[] = []
  const next: Fault[] = []
  const state: { tip?: string; tipEnd: number; issued: number; dress: (body: Body) => Body } = {
    tip: firstToken,
    tipEnd: Number.POSITIVE_INFINITY,
    issued: 0,
    dress: (body) => body,
  }
  const start = (token: string) => {
    state.tip = token
    state.tipEnd = now().getTime() + (refreshLifeSeconds ?? Number.POSITIVE_INFINITY) * 1000
  }
  const serve = (request: HttpRequest): HttpAnswer => {
    const token = new URLSearchParams(request.body).get('refresh_token') ?? ''
    const times = (presented.get(token) ?? 0) + 1
    presented.set(token, times)
    if (token !== state.tip || state.tipEnd <= now().getTime()) {
      if (times > 1 && endsGrantOnReuse) {
        delete state.tip
        living.clear()
      }
      return reply(400, { error: 'invalid_grant', error_description: `${token} is not good` })
    }
    state.issued++
    start(`refresh-token-${state.issued}-of-the-server`)
    const access = `access-token-${state.issued}-of-the-server`
    living.set(access, new Date(now().getTime() + lifeSeconds * 1000))
    return reply(
      200,
      state.dress({
        access_token: access,
        token_type: 'Bearer',
        expires_in: lifeSeconds,
        refresh_token: state.tip,
        ...(refreshLifeSeconds === undefined ? {} : { refresh_expires_in: refreshLifeSeconds }),
      }),
    )
  }
  const isAlive = (token: string) => (living.get(token) ?? now()) > now()
  const http = (): Http => ({
    async request(request) {
      if (request.method === 'GET') {
        const token = (request.headers?.authorization ?? '').replace('Bearer ', '')
        return reply(isAlive(token) ? 200 : 401, {})
      }
      calls.push(now())
      const fault = next.shift()
      return fault === undefined ? serve(request) : fault(() => serve(request), request)
    },
    close: async () => {},
  })
  const faults: FakeVendor['faults'] = []
  return {
    ...{ http, presented, faults, isAlive, calls, next, state },
    tip: () => state.tip,
    logins: () => 0,
    /** A person authorizes anew: from now on only this token is good. */
    authorize: start,
  }
}

function stage(options: SceneOptions) {
  const { id = 'crm', lifeSeconds = 3600 } = options
  const connection = {
    id,
    vendor: 'oauth2',
    options: {
      tokenEndpoint: 'https://login.example.com/token',
      verifyUrl: 'https://login.example.com/me',
      grant: 'refresh_token',
      clientId: 'client-1',
      clientAuthentication: 'none',
      accessTokenLifetimeSeconds: lifeSeconds,
    },
  }
  const made = world(oauth2, connection, (now) => singleUseServer(now, options))
  made.enroll({ refreshToken: firstToken })
  return made
}

/** One rotator at work; the same for both, so that a scenario need not know which one it tells of. */
export interface Scene extends Pick<ReturnType<typeof stage>, 'clock' | 'ports' | 'secrets'> {
  readonly server: ReturnType<typeof singleUseServer>
  /** Name of the secret with the refresh token. */
  readonly secretId: string
  /** One scheduled invocation. A run that fails has failed, and says nothing more. */
  readonly invoke: (through?: Ports) => Promise<void>
  /** One invocation a minute. @returns in how many of the minutes workloads had no living token */
  readonly minutes: (count: number, through?: Ports) => Promise<number>
  /** Runs once, then lets time pass until the next renewal is due. */
  readonly untilDue: () => Promise<void>
  /** What the secret with the refresh token holds. */
  readonly held: () => Record<string, unknown>
  /** All that workloads can read. */
  readonly document: () => Record<string, unknown>
  /** Whether what workloads read works at the vendor. */
  readonly isServed: () => boolean
  /** When what workloads read ends. */
  readonly servedUntil: () => number
  /** What people were told. */
  readonly told: () => string[]
  /** All that was written where others may look: log, events, ledger. */
  readonly traces: () => string
  /** Sendings of a refresh token beyond the first. */
  readonly repeated: () => number
  /** What a person does who has a new token: stores it. */
  readonly store: (refreshToken: string) => void
  /** The same by the rotator's own command, if it has one. */
  readonly enroll: (refreshToken: string) => Promise<void>
  /** What happens to a cache that evicts: all that is known of locks is gone. */
  readonly forget: () => void
}

type World = ReturnType<typeof stage>
type Part = Pick<Scene, 'document' | 'servedUntil' | 'told' | 'traces' | 'forget'> & {
  readonly enroll?: Scene['enroll']
  readonly run: (through: Ports) => Promise<unknown>
  readonly accessToken: () => unknown
  readonly dueAt: () => number
}

function sceneOf(made: World, part: Part): Scene {
  const { clock, fake: server, secrets, enrollment: secretId, ports, repeated } = made
  const { document, servedUntil, told, traces, forget } = part
  const isServed = () => server.isAlive(String(part.accessToken()))
  const invoke = async (through: Ports = ports) => {
    await part.run(through).catch(() => undefined)
  }
  let edits = 0
  const store = (refreshToken: string) =>
    made.enroll({ refreshToken }, `00000000-0000-4000-8000-00000000010${edits++}`)
  return {
    ...{ clock, server, secrets, secretId, ports, repeated, invoke, isServed },
    ...{ document, servedUntil, told, traces, forget },
    async minutes(count, through) {
      let unserved = 0
      for (let minute = 0; minute < count; minute++) {
        await invoke(through)
        if (!isServed()) unserved++
        clock.advance(60)
      }
      return unserved
    },
    async untilDue() {
      await invoke()
      clock.advance((part.dueAt() - clock.now().getTime()) / 1000)
    },
    held: () => secrets.current(secretId) ?? {},
    store,
    enroll: part.enroll ?? (async (refreshToken) => store(refreshToken)),
  }
}

/** The naive rotator on its stage. */
export function naive(habits: Habits = {}, options: SceneOptions = {}): Scene {
  const made = stage(options)
  const state: NaiveState = { versions: 0, pages: [], log: [] }
  const document = () => made.secrets.current(made.enrollment) as NaiveDocument
  return sceneOf(made, {
    run: ({ secrets, clock }) =>
      rotateNaively(made.enrollment, state, habits, {
        ...{ secrets, http: made.fake.http(), now: clock.now },
      }),
    accessToken: () => document().accessToken,
    document: () => ({ ...document() }),
    servedUntil: () => document().expiresAt ?? 0,
    dueAt: () => (document().expiresAt ?? 0) - (habits.marginSeconds ?? 900) * 1000,
    told: () => state.pages,
    traces: () => state.log.join('\n'),
    forget() {
      delete state.lockedUntil
    },
  })
}

/** The shipped engine on the same stage. */
export function engine(options: SceneOptions = {}): Scene {
  const made = stage(options)
  const outcomes: unknown[] = []
  return sceneOf(made, {
    async run(through) {
      outcomes.push(await made.invoke(through))
    },
    async enroll(refreshToken) {
      const { connection, vendor, ports } = made
      const run = { connection, vendor, runId: 'a-person', remainingSeconds: () => 60 }
      await enroll(run, { refreshToken }, '00000000-0000-4000-8000-000000000200', ports)
    },
    accessToken: made.published,
    document: () => made.secrets.current(made.consumer) ?? {},
    servedUntil: () => Date.parse(String(made.secrets.current(made.consumer)?.expires_at)),
    dueAt: () => made.item().dueAt.getTime(),
    told: made.told,
    traces: () => JSON.stringify([outcomes, made.events.emitted, [...made.ledger.items.values()]]),
    forget: () => made.ledger.items.clear(),
  })
}

/** A promise, and the way to settle it from outside. */
export function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

/** Ports whose first read of the secret stands still until told to go on. */
export function stalled(scene: Scene) {
  const reached = gate()
  const go = gate()
  let isFirst = true
  const ports: Ports = {
    ...scene.ports,
    secrets: {
      ...scene.secrets,
      async read(...args) {
        // What was read before the standstill is what the run goes on with.
        const found = await scene.secrets.read(...args)
        if (isFirst) {
          isFirst = false
          reached.open()
          await go.opened
        }
        return found
      },
    },
  }
  return { ports, reached: reached.opened, go: go.open }
}

/** Ports whose writes to secrets go through `put`. */
export function writing(scene: Scene, put: Ports['secrets']['put']): Ports {
  return { ...scene.ports, secrets: { ...scene.secrets, put } }
}

/** A store that takes nothing for now. */
export const throttled = async (): Promise<never> => {
  throw new StoreError('PutSecretValue failed with ThrottlingException', 'retry')
}

/** What a dead process gives to await. */
export const never = () => new Promise<never>(() => {})
