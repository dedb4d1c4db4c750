import type { Delivery, Reply } from './http-server.ts'
import type { Call, Endpoint } from './rules.ts'

const DEFAULT_DELAY_MS = 5000
const dropped: Reply = { status: 0, delivery: { kind: 'drop' } }
const page = '<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>\n'

const serverError = (status: number): Reply => ({ status, body: 'injected fault\n' })

/** What comes back when a fault keeps the vendor from acting on the call; nothing when none does. */
export function intercept(call: Call, { refuse }: Endpoint): Reply | undefined {
  if (call.fault('drop-before')) return dropped
  if (call.fault('error-500')) return serverError(500)
  if (call.fault('error-503')) return serverError(503)
  if (call.fault('error-429')) return serverError(429)
  if (call.fault('html')) {
    return { status: 200, body: page, headers: { 'content-type': 'text/html; charset=utf-8' } }
  }
  return refuse !== undefined && call.fault('refuse') ? refuse(call) : undefined
}

/** What becomes of the vendor's answer on its way: the effect has taken place. */
export function distort(call: Call, reply: Reply): Reply {
  if (call.fault('consume-then-drop')) return dropped
  if (call.fault('consume-then-500')) return serverError(500)
  if (call.fault('empty')) return { status: 200 }
  const shown = call.fault('extra-fields') ? withExtraFields(reply) : reply
  const delivery = hindrance(call)
  return delivery === undefined ? shown : { ...shown, delivery }
}

function hindrance(call: Call): Delivery | undefined {
  if (call.fault('truncated-body')) return { kind: 'truncate' }
  const slow = call.fault('slow')
  if (slow) return { kind: 'delay', ms: slow.ms ?? DEFAULT_DELAY_MS }
  const trickle = call.fault('slow-body')
  return trickle && { kind: 'trickle', ms: trickle.ms ?? DEFAULT_DELAY_MS }
}

function withExtraFields(reply: Reply): Reply {
  const { json } = reply
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return reply
  return { ...reply, json: { ...json, undocumented: true, meta: { notes: ['not in the manual'] } } }
}
