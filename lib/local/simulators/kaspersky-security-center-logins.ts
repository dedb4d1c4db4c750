import type { Socket } from 'node:net'
import { Secret, TOTP } from 'otpauth'
import type { Reply, Request } from './http-server.ts'
import type { Node } from './kaspersky-security-center-network.ts'
import type { Bench, Call } from './rules.ts'

/** In seconds. A session's is a client's word, the others are the manual's. */
const SESSION_IDLE_SECONDS = 180
const TOKEN_SECONDS = 180
const KEY_SECONDS = 60
const LOCK_SECONDS = 3600
const WRONG_PASSWORDS = 10

/** Whom a session or a connection speaks to, and whether it still owes a code. */
interface Standing {
  readonly node: Node
  readonly owes: Owed
}

/** A code, or that a seed be registered, which no client can do. */
type Owed = 'totp' | 'totpreg' | undefined

/** Everything by which a caller is known: passwords, codes, sessions, connections, one-time secrets. */
export interface Logins {
  readonly credential: { username: string; password: string; totpSecret: string }
  /** `login`: what comes next on this connection needs no credential. */
  login(call: Call): Reply
  startSession(call: Call): Reply
  refuse(call: Call): Reply
  /** Whom the caller speaks to, by session or by connection; using a session is a sign of life. */
  standing(call: Call): Node | undefined
  /** @returns whether there was such a session, open or half open */
  endSession(id: string | undefined, now: Date): boolean
  newToken(now: Date): string
  newKey(node: Node, now: Date): string
  sessionsAlive(now: Date): number
  /** A restart of the server: nobody is known any more. */
  forgetAll(): void
  /** What an administrator does about a locked account. */
  changePassword(): string
}

/** @see https://support.kaspersky.com/help/KSC/13.1/KSCAPI/a00390.html the second factor */
export function createLogins({ tally, random, lifetime }: Bench): Logins {
  const secretText = (size: number) => Buffer.from(random(size)).toString('base64url')
  const password = () => `Sim-${Buffer.from(random(12)).toString('hex')}`
  const seed = new Secret({ buffer: new Uint8Array(random(20)).buffer })
  const totp = new TOTP({ secret: seed })
  const credential = { username: 'openapi', password: password(), totpSecret: seed.base32 }
  const sessions = new Map<string, Standing & { seenAt: Date }>()
  const oneTime = new Map<string, { scheme: 'KSCT' | 'KSCGW'; node: Node; until: Date }>()
  const usedCodes = new Set<number>()
  let connections = new WeakMap<Socket, Standing>()
  let wrong = 0
  let lockedUntil: Date | undefined

  function session(id: string | undefined, now: Date) {
    const found = sessions.get(id ?? '')
    const idle = lifetime(SESSION_IDLE_SECONDS) * 1000
    return found && now.getTime() - found.seenAt.getTime() < idle ? found : undefined
  }

  function isPassword({ request, now }: Call): boolean {
    const given = Object.fromEntries(
      [...(request.headers.authorization ?? '').matchAll(/(\w+)="?([^",]*)"?/g)].map(
        ([, name, value]) => [name, value],
      ),
    )
    const plain = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString('utf8')
    if (lockedUntil !== undefined && now < lockedUntil) return false
    if (plain(given.user) === credential.username && plain(given.pass) === credential.password) {
      wrong = 0
      return true
    }
    wrong += 1
    if (wrong >= WRONG_PASSWORDS) {
      lockedUntil = new Date(now.getTime() + lifetime(LOCK_SECONDS) * 1000)
      wrong = 0
    }
    return false
  }

  /** Right only once, as a code should be (RFC 6238, section 5.2); a step to either side is taken. */
  function isCode({ request, now }: Call): boolean {
    const token = /totp="?(\d+)/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const timestamp = now.getTime()
    const delta = totp.validate({ token, timestamp, window: 1 })
    if (delta === null) return false
    const step = totp.counter({ timestamp }) + delta
    if (usedCodes.has(step)) return false
    usedCodes.add(step)
    return true
  }

  function redeem(secret: string, scheme: string, now: Date): Node | undefined {
    const found = oneTime.get(secret)
    if (found?.scheme !== scheme) return undefined
    oneTime.delete(secret)
    return now < found.until ? found.node : undefined
  }

  /** What a credential is worth; a second factor is the caller's to add. */
  function judge(call: Call): Standing | undefined {
    const { authorization = '' } = call.request.headers
    const [scheme = '', secret = ''] = authorization.split(' ')
    if (scheme === 'KSCBasic') {
      if (!isPassword(call)) return undefined
      tally.passwordGrants += 1
      return { node: 'primary', owes: owedBy(call) }
    }
    const node = redeem(secret, scheme, call.now)
    return node && { node, owes: undefined }
  }

  function refuse(call: Call): Reply {
    tally.refusals += 1
    return { status: call.fault('refuse-403') ? 403 : 401, ...plainText('Authentication failure') }
  }

  function challenge(type: Owed, headers: Record<string, string>): Reply {
    return {
      status: 401,
      body: 'Authentication not finished',
      headers: {
        'content-type': 'text/plain',
        'www-authenticate': `KSCMFA type="${type}", lengthHint="6"`,
        ...headers,
      },
    }
  }

  function issue(reply: Reply): Reply {
    tally.issued += 1
    return reply
  }

  return {
    credential,
    refuse,
    login(call) {
      const { socket } = call.request
      if (schemeOf(call.request) === 'KSCMFA') {
        if (connections.get(socket)?.owes !== 'totp') return refuse(call)
        if (!isCode(call)) {
          tally.refusals += 1
          return challenge('totp', {})
        }
        connections.set(socket, { node: 'primary', owes: undefined })
        return issue({ status: 200, json: {} })
      }
      const standing = judge(call)
      if (standing === undefined) return refuse(call)
      connections.set(socket, standing)
      return standing.owes ? challenge(standing.owes, {}) : issue({ status: 200, json: {} })
    },
    startSession(call) {
      const { request, now } = call
      const named = nameOf(request)
      if (schemeOf(request) === 'KSCMFA') {
        if (session(named, now)?.owes !== 'totp' || named === undefined) return refuse(call)
        if (!isCode(call)) {
          tally.refusals += 1
          return challenge('totp', { 'x-ksc-session': named })
        }
        sessions.set(named, { node: 'primary', owes: undefined, seenAt: now })
        return issue({ status: 200, json: { PxgRetVal: named } })
      }
      const standing = judge(call)
      if (standing === undefined) return refuse(call)
      const id = `${secretText(18)}==`
      sessions.set(id, { ...standing, seenAt: now })
      if (standing.owes) return challenge(standing.owes, { 'x-ksc-session': id })
      return issue({ status: 200, json: { PxgRetVal: id } })
    },
    standing({ request, now }) {
      const id = nameOf(request)
      if (id === undefined) {
        const bound = connections.get(request.socket)
        return bound?.owes === undefined ? bound?.node : undefined
      }
      const found = session(id, now)
      if (found === undefined || found.owes !== undefined) return undefined
      sessions.set(id, { ...found, seenAt: now })
      return found.node
    },
    endSession(id, now) {
      const found = session(id, now) !== undefined
      if (found) tally.revocations += 1
      return sessions.delete(id ?? '') && found
    },
    newToken(now) {
      const token = secretText(24)
      const until = new Date(now.getTime() + lifetime(TOKEN_SECONDS) * 1000)
      oneTime.set(token, { scheme: 'KSCT', node: 'primary', until })
      return token
    },
    newKey(node, now) {
      const key = secretText(24)
      const until = new Date(now.getTime() + lifetime(KEY_SECONDS) * 1000)
      oneTime.set(key, { scheme: 'KSCGW', node, until })
      return key
    },
    sessionsAlive: (now) => [...sessions.keys()].filter((id) => session(id, now)).length,
    forgetAll() {
      sessions.clear()
      oneTime.clear()
      connections = new WeakMap()
    },
    changePassword() {
      credential.password = password()
      wrong = 0
      lockedUntil = undefined
      return credential.password
    },
  }
}

function owedBy(call: Call): Owed {
  if (call.fault('totp-registration')) return 'totpreg'
  return call.fault('second-factor') && 'totp'
}

/** The scheme of `Authorization`, e.g. `KSCBasic`. */
export function schemeOf({ headers }: Request): string {
  return headers.authorization?.split(' ')[0] ?? ''
}

function nameOf({ headers }: Request): string | undefined {
  const named = headers['x-ksc-session']
  return typeof named === 'string' && named !== '' ? named : undefined
}

/** Refusals are not JSON. */
export function plainText(body: string): Pick<Reply, 'body' | 'headers'> {
  return { body, headers: { 'content-type': 'text/plain' } }
}
