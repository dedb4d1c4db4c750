import { allowInsecureRequests, customFetch } from 'oauth4webapi'
import { isRotatorError, ResponseError, TransportError } from '../core/errors.ts'
import type { Http, HttpAnswer } from '../core/vendor.ts'

/** Carries one request of the library over our transport, and keeps the answer. */
export function carrier(http: Http, name: string, timeoutSeconds: number) {
  let kept: HttpAnswer | undefined
  const carry = async (
    url: string,
    request: { method: 'GET' | 'POST'; headers: Record<string, string>; body?: unknown },
  ): Promise<Response> => {
    const { 'user-agent': _, ...headers } = request.headers
    const body = request.body === undefined ? {} : { body: String(request.body) }
    const { method } = request
    kept = await http.request({ name, method, url, headers, ...body, timeoutSeconds })
    return asResponse(kept)
  }
  return {
    /** Plain http only where it stays on this machine: configured and discovered URLs are checked for that. */
    options: (url: string | undefined) => ({
      [customFetch]: carry,
      [allowInsecureRequests]: url?.startsWith('http:') === true,
    }),
    answer(): HttpAnswer {
      if (kept === undefined) throw new TransportError(`${name} was never sent`, 'no')
      return kept
    },
  }
}

function asResponse({ status, json, text }: HttpAnswer): Response {
  // Statuses that `Response` cannot have are no part of HTTP either.
  if (status < 200 || status > 599) throw new ResponseError('an odd answer', { status })
  // JSON under another label is JSON all the same.
  const isJson = typeof json === 'object' && json !== null
  const type = isJson ? 'application/json' : 'text/plain'
  const hasBody = ![204, 205, 304].includes(status)
  return new Response(hasBody ? text : null, { status, headers: { 'content-type': type } })
}

/** What to throw of an answer that the library cannot read: none of these calls uses anything up. */
export function unreadable(name: string, line: { answer(): HttpAnswer }) {
  return (error: unknown): never => {
    if (isRotatorError(error)) throw error
    const { status } = line.answer()
    // Without its cause: the library keeps the body in there, and that may quote a token.
    throw new ResponseError(`${name} gave an answer outside its RFC`, { status, spent: 'no' })
  }
}
