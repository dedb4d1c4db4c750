import * as v from 'valibot'
import type { Fault } from './faults.ts'
import { parseJson, type Reply, type Request } from './http-server.ts'
import type { Rules } from './rules.ts'
import type { Simulator } from './simulator.ts'

const PREFIX = '/_sim/'

const FaultBody = v.strictObject({
  kind: v.string(),
  on: v.exactOptional(v.string()),
  times: v.exactOptional(
    v.union([v.pipe(v.number(), v.integer(), v.minValue(1)), v.literal('always')]),
  ),
  skip: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  ms: v.exactOptional(v.pipe(v.number(), v.minValue(0))),
})
const HoldsBody = v.object({ refreshToken: v.string() })

type Facts = Pick<Simulator, 'counters' | 'chains' | 'holds' | 'inject' | 'clearFaults'>

/** Whether a request is for the simulator itself, not for the vendor that it plays. */
export function isControl(request: Request): boolean {
  return request.path.startsWith(PREFIX)
}

/**
 * What a demo or a test may ask of a running simulator, beside the vendor's own API:
 *
 *     GET    /_sim/counters
 *     GET    /_sim/chains
 *     POST   /_sim/holds     {"refreshToken"}                       -> {"holds"}
 *     POST   /_sim/faults    {"kind","on"?,"times"?,"skip"?,"ms"?}  -> 204
 *     DELETE /_sim/faults                                           -> 204
 *     …      and the controls of the vendor
 */
export async function answerControl(
  request: Request,
  facts: Facts,
  controls: Rules['controls'],
): Promise<Reply> {
  const name = `${request.method} ${request.path.slice(PREFIX.length)}`
  switch (name) {
    case 'GET counters':
      return { status: 200, json: facts.counters() }
    case 'GET chains':
      return { status: 200, json: facts.chains() }
    case 'POST holds': {
      const body = v.safeParse(HoldsBody, parseJson(request))
      if (!body.success) return bad('body: allowed is {"refreshToken"}')
      return { status: 200, json: { holds: facts.holds(body.output.refreshToken) } }
    }
    case 'POST faults': {
      const body = v.safeParse(FaultBody, parseJson(request))
      if (!body.success) {
        return bad('body: allowed is {"kind","on"?,"times"? (1.. or "always"),"skip"?,"ms"?}')
      }
      return inject(body.output, facts)
    }
    case 'DELETE faults':
      facts.clearFaults()
      return { status: 204 }
  }
  const control = Object.hasOwn(controls, name) ? controls[name] : undefined
  return control === undefined
    ? { status: 404, json: { error: 'no such control' } }
    : { status: 200, json: await control() }
}

function inject(fault: Fault, facts: Facts): Reply {
  try {
    facts.inject(fault)
    return { status: 204 }
  } catch (error) {
    if (error instanceof RangeError) return bad(error.message)
    throw error
  }
}

function bad(error: string): Reply {
  return { status: 400, json: { error } }
}
