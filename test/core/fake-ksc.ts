import { TransportError } from '../../lib/core/errors.ts'
import type { Http, HttpAnswer, HttpRequest } from '../../lib/core/vendor.ts'
import type { FakeVendor } from './fake-vendors.ts'

const idleMs = 180_000

/** Security Center by its sheet: sessions that die three minutes after their last call. */
export function fakeKsc(now: () => Date, login = { username: 'openapi', password: 'made-up-1' }) {
  const sessions = new Map<string, Date>()
  const faults: FakeVendor['faults'] = []
  const state = {
    logins: 0,
    attempts: 0,
    pings: 0,
    ended: [] as string[],
    issued: 0,
    /** The whole host, not one call. */
    isUnreachable: false,
    /** Starting or stopping: every method says so. */
    isBusy: false,
    certificateEnds: new Date('2027-01-01T00:00:00Z'),
  }
  const isAlive = (id: string) => {
    const seen = sessions.get(id)
    return seen !== undefined && now().getTime() - seen.getTime() < idleMs
  }
  const authorization = `KSCBasic user="${base64(login.username)}", pass="${base64(login.password)}", internal="1"`

  function logIn(given: string | undefined): [number, unknown] {
    state.attempts++
    const fault = faults.shift()
    if (fault === 'unreachable') throw new TransportError('could not reach the vendor', 'no')
    if (fault === 'error') return [503, '']
    if (fault === 'refuse' || given !== authorization) return [401, 'Authentication failure']
    state.logins++
    const id = `session-${++state.issued}`
    sessions.set(id, now())
    if (fault === 'lose') throw new TransportError('no answer from the vendor', 'maybe')
    return [200, { PxgRetVal: id }]
  }

  function serve({ url, headers = {} }: HttpRequest): [number, unknown] {
    if (state.isUnreachable) throw new TransportError('could not reach the vendor', 'no')
    if (state.isBusy) return [200, { PxgError: { module: 'KLSTD', code: 1195 } }]
    if (url.endsWith('/Session.StartSession')) return logIn(headers.authorization)
    const id = headers['X-KSC-Session'] ?? ''
    if (!isAlive(id)) return [403, 'Forbidden']
    if (url.endsWith('/Session.EndSession')) {
      state.ended.push(id)
      sessions.delete(id)
      return [200, {}]
    }
    state.pings++
    sessions.set(id, now())
    return [200, {}]
  }

  return {
    http: (): Http => ({
      async request(request): Promise<HttpAnswer> {
        const [status, body] = serve(request)
        return {
          status,
          contentType: '',
          headers: {},
          text: typeof body === 'string' ? body : JSON.stringify(body),
          json: body,
          peerNotAfter: state.certificateEnds,
        }
      },
      close: async () => {},
    }),
    presented: new Map<string, number>(),
    faults,
    state,
    tip: () => undefined,
    isAlive,
    logins: () => state.logins,
    /** Every session is forgotten. */
    restart: () => sessions.clear(),
    /** A consumer that uses a session keeps it alive. */
    touch: (id: string) => void (isAlive(id) && sessions.set(id, now())),
    living: () => [...sessions.keys()].filter(isAlive),
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
