import * as v from 'valibot'
import { parseJson, type Reply, type Request } from './http-server.ts'

/** What clients in the field send: a page of everything. */
const Query = v.object({
  filter: v.optional(v.array(v.unknown())),
  sort: v.optional(v.array(v.unknown())),
  offset: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 100),
})

const devices = [1, 2, 3].map((id) => ({
  id,
  name: `PLC-${id}`,
  status: 'authorized',
  category: 'plc',
  addresses: [{ ip: `192.0.2.${100 + id}`, mac: `02:00:00:00:00:0${id}` }],
}))

const events = [1, 2].map((id) => ({
  id,
  title: 'Unauthorized network interaction',
  score: 4 + id,
  status: 'new',
}))

const answers: Readonly<Record<string, (request: Request) => Reply>> = {
  'GET about': () => ({
    status: 200,
    json: {
      version: '4.1.0.0',
      updateableComponents: [{ type: 'Icr', releaseTime: '2024-01-02T03:04:05' }],
    },
  }),
  'POST devices/query': (request) => page(devices, request),
  'POST events/query': (request) => page(events, request),
}

/**
 * What answers a call below a version, once its bearer was found good. Filters and orders are taken
 * and not applied.
 */
export function resource(name: string): ((request: Request) => Reply) | undefined {
  return Object.hasOwn(answers, name) ? answers[name] : undefined
}

function page(rows: readonly object[], request: Request): Reply {
  const query = v.safeParse(Query, parseJson(request))
  if (!query.success) return { status: 400 }
  const { offset, limit } = query.output
  return { status: 200, json: { values: rows.slice(offset, offset + limit) } }
}
