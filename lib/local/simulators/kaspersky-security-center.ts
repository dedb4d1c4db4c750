import { gzipSync } from 'node:zlib'
import { parse } from 'lossless-json'
import { commonFaults, type FaultCatalogue } from './faults.ts'
import { host } from './host.ts'
import type { Reply, Request } from './http-server.ts'
import { createLogins, plainText, schemeOf } from './kaspersky-security-center-logins.ts'
import { createNetwork, type Node, SLAVE_SERVER_ID } from './kaspersky-security-center-network.ts'
import type { Bench, Call, Endpoint, Rules } from './rules.ts'
import type { Simulator, SimulatorKind } from './simulator.ts'

const oneEvent = { times: 1 } as const

const faults = {
  ...commonFaults,
  'second-factor': { about: 'logins by password need a code of the seed', on: 'password' },
  'totp-registration': { about: 'the account must register a seed first', on: 'password' },
  'refuse-403': { about: 'refused logins: 403 instead of 401', on: 'grant' },
  busy: { about: 'PxgError KLSTD 1195 with status 200: temporarily unavailable' },
  denied: { about: 'PxgError KLSTD 1184 with status 200: access denied', on: 'method' },
  restarted: {
    about: 'every session, connection and key is forgotten, once, before the call',
    standing: oneEvent,
  },
  chunked: { about: 'the answer comes in chunks, without a Content-Length' },
} as const satisfies FaultCatalogue

/** An Administration Server, and what its administrator can do. */
export interface KscSimulator extends Simulator {
  /** `sha256/<Base64>` over the DER of the reserve certificate; `ca` holds both. */
  readonly reservePin?: string
  /** Shows the reserve certificate to those who connect from now on. */
  useReserveCertificate(): void
  /** Every session, connection, token and key is forgotten. */
  restart(): void
  /** A new password for the account, which also unlocks it. */
  changePassword(): string
}

/**
 * Kaspersky Security Center: an Administration Server with one account, a secondary server below it
 * and an agent that both manage. Calls go to the primary, or over a gateway session to one of those.
 *
 * Where the vendor is silent: bad credentials are 401, calls without any 401, a dead session 403; an
 * idle session dies after three minutes; a ping is a sign of life; a gateway session outlives the one
 * that asked for its key.
 *
 * @see https://support.kaspersky.com/help/KSC/15.1/KSCAPI/index.html
 */
export const kasperskySecurityCenter: SimulatorKind<KscSimulator> = {
  id: 'kaspersky-security-center',
  faults,
  operations: ['grant', 'password', 'code', 'token', 'gateway', 'verify', 'end', 'method'],
  selfSigned: true,
  async start(options = {}) {
    const { simulator, rules, reserve } = await host(kasperskySecurityCenter, server, options)
    return {
      ...simulator,
      ...(reserve && { reservePin: reserve.pin }),
      useReserveCertificate: () => reserve?.show(),
      restart: rules.restart,
      changePassword: rules.changePassword,
    }
  },
}

/** One method of the Open API, asked by somebody who is known. */
type Method = (args: Arguments, node: Node, call: Call) => Reply
/** Numbers among them are text still. */
type Arguments = Readonly<Record<string, unknown>>

function server(bench: Bench) {
  const { tally } = bench
  const network = createNetwork(bench)
  const logins = createLogins(bench)

  function location(to: Node, isKnown: (args: Arguments) => boolean) {
    return (args: Arguments, from: Node): Reply => {
      const text = isKnown(args) ? network.location(from, to) : undefined
      if (text === undefined) return failed(1186, 'Object not found')
      return { status: 200, body: `{"PxgRetVal":${text}}`, headers: jsonText }
    }
  }

  const methods: Readonly<Record<string, Method>> = {
    'Session.Ping': () => done({}),
    'Session.CreateToken': (_args, _node, { now }) => done({ PxgRetVal: logins.newToken(now) }),
    'CgwHelper.GetSlaveServerLocation': location(
      'secondary',
      ({ nSlaveServerId }) => String(nSlaveServerId) === String(SLAVE_SERVER_ID),
    ),
    'CgwHelper.GetNagentLocation': location(
      'agent',
      ({ wsHostName }) => wsHostName === network.hostId,
    ),
    'GatewayConnection.PrepareGatewayConnection'({ pLocations }, node, { now }) {
      if (!Array.isArray(pLocations)) return failed(1192, 'Bad data')
      // Deeper targets too are reached from the primary: it alone makes keys.
      if (node !== 'primary') return failed(1193, 'Not permitted')
      const to = network.destination(pLocations)
      return to === undefined
        ? failed(1186, 'Object not found')
        : done({ wstrAuthKey: logins.newKey(to, now) })
    },
    'HostGroup.GroupIdGroups': () => done({ PxgRetVal: 1 }),
    'ServerHierarchy.GetChildServers': (_args, node) =>
      done({ PxgRetVal: node === 'primary' ? [child] : [] }),
  }

  function ask(method: Method, call: Call): Reply {
    if (call.fault('restarted')) logins.forgetAll()
    const node = logins.standing(call)
    if (node === undefined) {
      tally.unauthorized += 1
      const isNamed = call.request.headers['x-ksc-session'] !== undefined
      return { status: isNamed ? 403 : 401, ...plainText('Authentication required') }
    }
    tally.authorized += 1
    const args = argumentsOf(call.request)
    return args === undefined ? failed(1192, 'Bad data') : method(args, node, call)
  }

  function end({ request, now }: Call): Reply {
    const named = request.headers['x-ksc-session']
    return logins.endSession(typeof named === 'string' ? named : undefined, now)
      ? done({})
      : { status: 403, ...plainText('Forbidden') }
  }

  function route(request: Request): Endpoint {
    const [, name = ''] = /^\/api\/v1\.0\/(?:[^/]+\.)??(\w+\.\w+|login)$/.exec(request.path) ?? []
    const scheme = schemeOf(request)
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined
    if (request.method !== 'POST') {
      return { name: 'not POST', operations: [], answer: () => ({ status: 405 }) }
    }
    if (name === 'login' || name === 'Session.StartSession') {
      const logIn = name === 'login' ? logins.login : logins.startSession
      return {
        name: `POST ${name} ${scheme}`,
        operations: ['grant', ...(schemes[scheme] ?? [])],
        answer: answered(logIn),
        refuse: logins.refuse,
      }
    }
    if (name === 'Session.EndSession') {
      return { name: `POST ${name}`, operations: ['end'], answer: answered(end) }
    }
    if (method === undefined) return { name: 'unknown method', operations: [], answer: unknown }
    return {
      name: `POST ${name}`,
      operations: ['method', ...(name === 'Session.Ping' ? ['verify'] : [])],
      answer: answered((call) => ask(method, call)),
    }
  }

  const { slaveServerId, hostId } = { slaveServerId: SLAVE_SERVER_ID, hostId: network.hostId }
  const rules = {
    credential: { ...logins.credential, internal: true, slaveServerId, hostId },
    route,
    sessionsAlive: logins.sessionsAlive,
    controls: {
      'POST restart': () => {
        logins.forgetAll()
        return {}
      },
      'POST password': () => ({ password: logins.changePassword() }),
    },
  } satisfies Rules
  return { ...rules, restart: logins.forgetAll, changePassword: logins.changePassword }
}

/** What a fault's `on` may call a login, by its scheme. */
const schemes: Readonly<Record<string, readonly string[]>> = {
  KSCBasic: ['password'],
  KSCMFA: ['code'],
  KSCT: ['token'],
  KSCGW: ['gateway'],
}

const child = {
  type: 'params',
  value: { KLSRVH_SRV_ID: SLAVE_SERVER_ID, KLSRVH_SRV_DN: 'branch' },
}

const jsonText = { 'content-type': 'application/json' }
const done = (json: unknown): Reply => ({ status: 200, json })
const unknown = (): Reply => ({ status: 404, ...plainText('Not found') })

/** A method that failed: HTTP knows nothing of it. */
function failed(code: number, message: string): Reply {
  const where = { file: 'server/method.cpp', line: 1 }
  return {
    status: 200,
    json: { PxgError: { code, subcode: 0, module: 'KLSTD', ...where, message } },
  }
}

/** What any method may answer instead of its result, and how an answer is dressed. */
function answered(answer: (call: Call) => Reply) {
  return (call: Call): Reply => {
    if (call.fault('busy')) return failed(1195, 'Temporarily unavailable')
    if (call.fault('denied')) return failed(1184, 'Access denied')
    const reply = compressed(answer(call), call.request)
    return call.fault('chunked') ? { ...reply, delivery: { kind: 'chunked' } } : reply
  }
}

/** Only for those who ask for it. */
function compressed(reply: Reply, { headers }: Request): Reply {
  if (!/\bgzip\b/.test(String(headers['accept-encoding'] ?? ''))) return reply
  const { json, body, ...rest } = reply
  const type = json === undefined ? {} : jsonText
  return {
    ...rest,
    body: gzipSync(json === undefined ? (body ?? '') : JSON.stringify(json)),
    headers: { ...type, ...rest.headers, 'content-encoding': 'gzip' },
  }
}

/** No body is no arguments. Nothing if it is not an object. */
function argumentsOf({ body }: Request): Arguments | undefined {
  const text = body.toString('utf8').trim()
  if (text === '') return {}
  try {
    return text.startsWith('{') ? (parse(text) as Arguments) : undefined
  } catch {
    return undefined
  }
}
