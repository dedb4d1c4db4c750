import { LosslessNumber, parse, stringify } from 'lossless-json'
import * as v from 'valibot'
import { ResponseError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import type { Call, Http, HttpAnswer } from '../core/vendor.ts'
import { keysOf } from './token.ts'

/**
 * A container of named values whose content is the server's own business, e.g. a location. Its numbers
 * stay text, so that 64-bit integers, which a JavaScript number cannot hold, go back as they came.
 */
export type Params = Readonly<Record<string, unknown>>

/** Types that carry their name on the wire, and what stands for their value here. */
interface TaggedValue {
  readonly long: bigint
  /** UTC, e.g. `2024-01-02T03:04:05Z`. */
  readonly datetime: string
  readonly date: string
  /** Base64. */
  readonly binary: string
  readonly double: number
  readonly params: Params
}

/**
 * A value inside params or an array, where only strings, 32-bit integers, booleans and arrays stand
 * as they are. A top-level argument is never tagged.
 *
 * @see https://support.kaspersky.com/help/KSC/15.1/KSCAPI/index.html
 */
export function tagged<T extends keyof TaggedValue>(type: T, value: TaggedValue[T]) {
  return { type, value } as const
}

/** Goes into a header at every consumer: printable ASCII without blanks and quotes. */
export const HeaderToken = v.pipe(
  v.string(),
  v.regex(/^[\x21\x23-\x26\x28-\x7e]{1,4096}$/),
  v.transform((text) => new Redacted(text)),
)

const Nothing = v.pipe(
  v.unknown(),
  v.transform(() => undefined),
)
// Passed on as it is: a copy could lose members. One that came tagged would go back tagged twice.
const Location = v.custom<Params>(
  (value) => isObject(value) && !('type' in value && 'value' in value),
)

interface Method<In extends Params, Out> {
  readonly name: string
  /** Where the results stand: the return value in `PxgRetVal`, output parameters beside it. */
  readonly output: v.GenericSchema<unknown, Out>
  /** Never there; carries the type of the arguments. */
  readonly input?: In
}

function method<In extends Params = Record<never, never>>(name: string) {
  return <Out>(output: v.GenericSchema<unknown, Out>): Method<In, Out> => ({ name, output })
}

const returns = <Out>(value: v.GenericSchema<unknown, Out>) =>
  v.pipe(
    v.object({ PxgRetVal: value }),
    v.transform(({ PxgRetVal }) => PxgRetVal),
  )

/** The methods in use, as the vendor spells them; names are case-sensitive. */
export const methods = {
  startSession: method('Session.StartSession')(returns(HeaderToken)),
  /** The second half of a login; the session was named in the first, so its id need not come again. */
  finishSession: method('Session.StartSession')(
    v.pipe(
      v.object({ PxgRetVal: v.optional(HeaderToken) }),
      v.transform(({ PxgRetVal }) => PxgRetVal),
    ),
  ),
  ping: method('Session.Ping')(Nothing),
  endSession: method('Session.EndSession')(Nothing),
  secondaryServerLocation: method<{ nSlaveServerId: number }>('CgwHelper.GetSlaveServerLocation')(
    returns(Location),
  ),
  agentLocation: method<{ wsHostName: string }>('CgwHelper.GetNagentLocation')(returns(Location)),
  prepareGateway: method<{ pLocations: readonly { type: 'params'; value: Params }[] }>(
    'GatewayConnection.PrepareGatewayConnection',
  )(
    v.pipe(
      v.object({ wstrAuthKey: HeaderToken }),
      v.transform(({ wstrAuthKey }) => wstrAuthKey),
    ),
  ),
} as const

/** How a call ended. */
export type Result<Out> =
  | { readonly is: 'done'; readonly value: Out; readonly answer: HttpAnswer }
  /** The method itself failed; told by module and code, never by the text. */
  | { readonly is: 'failed'; readonly error: PxgError; readonly answer: HttpAnswer }
  /** Whoever asked is not logged in, no longer, or not yet. */
  | { readonly is: 'unauthorized'; readonly answer: HttpAnswer }

/** What a failed method says, with HTTP status 200; its English text is left out. */
export interface PxgError {
  readonly module: string
  readonly code: number
}

const Failure = v.object({
  PxgError: v.object({
    module: v.pipe(v.string(), v.regex(/^\w{1,16}$/)),
    code: v.pipe(
      v.instance(LosslessNumber),
      v.transform(({ value }) => Number(value)),
    ),
  }),
})

/** Whether a failure is this one; code numbers repeat from module to module. */
export function isError(error: PxgError, known: string): boolean {
  return nameOf(error) === known
}

/** For messages: codes mean nothing without their module. */
export function nameOf({ module, code }: PxgError): string {
  return `${module} ${code}`
}

/** Temporarily unavailable: starting, stopping, or its storage suspended. The next tick tries again. */
export function isBusy(error: PxgError): boolean {
  return isError(error, 'KLSTD 1195')
}

/** A failure that no one has to act on yet. */
export function failure(error: PxgError, what: string): ResponseError {
  const why = isBusy(error) ? 'the server is temporarily unavailable' : 'the method failed'
  return new ResponseError(`${what}: ${why}, ${nameOf(error)}`, { status: 200, spent: 'no' })
}

/** @throws {ResponseError} there is no value; whoever calls knows of no better reason */
export function valueIn<Out>(result: Result<Out>, what: string): Out {
  if (result.is === 'done') return result.value
  if (result.is === 'failed') throw failure(result.error, what)
  throw new ResponseError(`${what}: the server did not let it happen`, {
    status: result.answer.status,
    spent: 'no',
  })
}

/** Names a session to whoever is called. */
export function asSession(session: Redacted): { readonly 'X-KSC-Session': string } {
  return { 'X-KSC-Session': session.reveal() }
}

/** Calls one method as somebody. */
export type Rpc = <In extends Params, Out>(
  method: Method<In, Out>,
  input: In,
  /** Names the session, or holds the credential of a login. */
  headers: Readonly<Record<string, string>>,
  call: Call,
) => Promise<Result<Out>>

/**
 * The one way to call the Open API of a server: RPC over HTTPS, a JSON object there and back.
 *
 *     200 {"PxgRetVal": …, "out": …}   done
 *     200 {"PxgError": {…}}            failed, whatever the method
 *     401, 403                         unauthorized: not, no longer, or not yet logged in
 *     anything else                    ResponseError
 *
 * @throws {TransportError} | {ResponseError}
 */
export function createRpc(http: Http, origin: string): Rpc {
  return async (method, input, headers, call) => {
    const answer = await http.request({
      name: method.name,
      method: 'POST',
      url: `${origin}/api/v1.0/${method.name}`,
      headers: { 'content-type': 'application/json', ...headers },
      body: stringify(input) ?? '{}',
      timeoutSeconds: call.timeoutSeconds,
    })
    const { status } = answer
    if (isRefusal(answer)) return { is: 'unauthorized', answer }
    const json = status === 200 ? exact(answer.text) : undefined
    if (json === undefined) {
      throw new ResponseError(
        `${method.name} was not answered as by an Administration Server; is this its Open API port?`,
        { status, keys: keysOf(answer.json) },
      )
    }
    if ('PxgError' in json) {
      const failure = v.safeParse(Failure, json)
      const error = failure.success ? failure.output.PxgError : { module: 'unknown', code: 0 }
      return { is: 'failed', error, answer }
    }
    const output = v.safeParse(method.output, json)
    if (!output.success) {
      throw new ResponseError(`${method.name} did not give what it is for`, {
        status,
        keys: keysOf(json),
      })
    }
    return { is: 'done', value: output.output, answer }
  }
}

/**
 * Whatever the body: a password that is presented again because a refusal looked odd locks its
 * account. The status of bad credentials is not documented, their text is.
 */
function isRefusal({ status, text }: HttpAnswer): boolean {
  return status === 401 || status === 403 || (status !== 200 && /^authentication fail/i.test(text))
}

/** A JSON object with its numbers as they were written; nothing if it is not one. */
function exact(text: string): Params | undefined {
  try {
    const json = parse(text)
    return isObject(json) ? json : undefined
  } catch {
    // The parser's message quotes the text.
    return undefined
  }
}

function isObject(value: unknown): value is Params {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof LosslessNumber)
  )
}
