import * as v from 'valibot'
import { createGrants, status } from './cisco-ftd-grants.ts'
import { createObjects } from './cisco-ftd-objects.ts'
import { createSessions } from './cisco-ftd-sessions.ts'
import { apiSpec } from './cisco-ftd-spec.ts'
import { commonFaults, type FaultCatalogue } from './faults.ts'
import { host } from './host.ts'
import { bearer, parseJson, type Reply, type Request } from './http-server.ts'
import type { Bench, Call, Endpoint, Rules } from './rules.ts'
import type { Simulator, SimulatorKind } from './simulator.ts'

const FDM = /^\/api\/fdm\/([^/]+)\/(.+?)\/?$/
/** v1 is 6.2.3, v6 the newest; `latest` is its alias in every path. */
const VERSIONS = ['v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'latest']
const supported = { supportedVersions: ['v6', 'latest'] }
const GrantBody = v.object({ grant_type: v.string() })

const oneEvent = { on: 'token', times: 1 } as const
const faults = {
  ...commonFaults,
  'no-refresh-token': { about: 'the token answer has no refresh_token' },
  'exhausted-without-refresh': { about: 'the last counted refresh answers without refresh_token' },
  'refresh-ends-access': { about: 'a refresh ends the access tokens issued before it' },
  'expired-408': { about: 'bad access tokens: 408 instead of 401, as on older builds' },
  'version-401': { about: 'the version in the token path is wrong: 401', on: 'grant' },
  'external-user': { about: 'the user is external: no custom token' },
  rebooted: { about: 'all sessions are gone, once, before the call', standing: oneEvent },
  failover: {
    about: 'from now on the other unit answers: another serial number, no session',
    standing: oneEvent,
  },
} as const satisfies FaultCatalogue

/** A login to the device manager. */
export interface AdminSession {
  readonly id: string
  /** False once newer sessions have taken its place. */
  readonly alive: boolean
}

/** An FTD, and the administrator who works on it. */
export interface FtdSimulator extends Simulator {
  addAdminSession(): AdminSession
}

/**
 * Cisco Secure Firewall Threat Defense, managed locally: one unit of a pair, one local user.
 * Where the vendor is silent: an access token outlives the refresh of its pair, a login of the
 * device manager ends by eviction alone, and a reboot or failover ends every session.
 *
 * @see https://www.cisco.com/c/en/us/td/docs/security/firepower/ftd-api/guide/ftd-rest-api/auth-ftd-rest-api.html
 */
export const ciscoFtd: SimulatorKind<FtdSimulator> = {
  id: 'cisco-ftd',
  faults,
  operations: ['grant', 'password', 'custom', 'refresh', 'revoke', 'verify', 'token', 'versions'],
  async start(options = {}) {
    const { simulator, rules } = await host(ciscoFtd, device, options)
    return { ...simulator, addAdminSession: rules.addAdminSession }
  },
}

function device(bench: Bench) {
  const { tally } = bench
  const hex = (size: number) => Buffer.from(bench.random(size)).toString('hex')
  const credential = { username: 'admin', password: `Sim-${hex(12)}` }
  const sessions = createSessions(bench)
  const grants = createGrants(bench, sessions, credential)
  const units = [0, 1].map(() => `9A${hex(4).toUpperCase()}`)
  const logins: AdminSession[] = []
  let active = 0
  const findObject = createObjects(bench, () => units[active] ?? '')

  function endAll(now: Date): void {
    for (const session of sessions.alive(now)) sessions.end(session)
  }

  /** Events that happen between calls show at the next one. */
  function settle(call: Call): void {
    const failover = call.fault('failover')
    if (failover) active = 1 - active
    if (failover || call.fault('rebooted')) endAll(call.now)
  }

  function tokenEndpoint(request: Request, version: string): Endpoint {
    const body = parseJson(request)
    const parsed = v.safeParse(GrantBody, body)
    const type = parsed.success ? parsed.output.grant_type : ''
    const grant = Object.hasOwn(grants, type) ? grants[type] : undefined
    return {
      name: `POST fdm/token${grant ? ` ${type}` : ''}`,
      operations: grant?.operations ?? [],
      answer(call) {
        settle(call)
        if (!VERSIONS.includes(version) || call.fault('version-401')) {
          tally.refusals += 1
          return unauthorized
        }
        if (grant !== undefined) return grant.answer(body, call)
        return refuse('grant_type is not supported')
      },
      refuse: () => refuse('not granted'),
    }
  }

  function refuse(message: string): Reply {
    tally.refusals += 1
    return status(400, message)
  }

  function authorized(answer: (request: Request) => Reply): Endpoint['answer'] {
    return (call) => {
      settle(call)
      if (sessions.authorizedBy(bearer(call.request) ?? '', call.now) !== undefined) {
        tally.authorized += 1
        return answer(call.request)
      }
      tally.unauthorized += 1
      return call.fault('expired-408') ? status(408, 'Request Timeout') : unauthorized
    }
  }

  function resource(name: string, answer: (request: Request) => Reply): Endpoint {
    return { name, operations: ['verify', 'token'], answer: authorized(answer) }
  }

  function route(request: Request): Endpoint {
    const { method, path } = request
    if (`${method} ${path}` === 'GET /api/versions') {
      const reply = { status: 200, json: supported }
      return { name: 'GET /api/versions', operations: ['versions'], answer: () => reply }
    }
    if (`${method} ${path}` === 'GET /apispec/ngfw.json') {
      return resource('GET /apispec/ngfw.json', () => ({ status: 200, json: apiSpec }))
    }
    const [, version = '', below = ''] = FDM.exec(path) ?? []
    if (below === 'fdm/token') {
      if (method === 'POST') return tokenEndpoint(request, version)
      const reply = { ...status(405, 'Method Not Allowed'), headers: { allow: 'POST' } }
      return { name: `${method} fdm/token`, operations: [], answer: () => reply }
    }
    if (below === '') return { name: 'unknown path', operations: [], answer: unknownPath }
    const object = VERSIONS.includes(version) ? findObject(method, below) : undefined
    return resource(object?.name ?? 'unknown path', object?.answer ?? unknownPath)
  }

  function addAdminSession(): AdminSession {
    const session = sessions.openLogin(bench.now())
    const login = {
      id: session.id,
      get alive() {
        return !session.ended
      },
    }
    logins.push(login)
    return login
  }

  const rules = {
    credential,
    route,
    sessionsAlive: (now) => sessions.alive(now).length,
    controls: {
      'POST admin-session': () => addAdminSession(),
      'GET admin-session': () => logins,
    },
  } satisfies Rules
  return { ...rules, addAdminSession }
}

const unauthorized = status(401, 'Unauthorized')

/** The 404 object of paths that the device does not know, as older builds were seen to send it. */
const unknownPathReply: Reply = {
  status: 404,
  json: {
    code: 404,
    description: 'The server has not found anything matching the request URI',
    reasonPhrase: 'Not Found',
    uri: 'https://www.rfc-editor.org/rfc/rfc9110#section-15.5.5',
    homeRef: '/',
  },
}
const unknownPath = (): Reply => unknownPathReply
