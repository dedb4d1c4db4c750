import { v4 as uuidV4 } from 'uuid'
import * as v from 'valibot'
import { parseJson, type Reply, type Request } from './http-server.ts'
import type { Bench } from './rules.ts'

const DEFAULT_LIMIT = 10
const MAX_LIMIT = 1000
const Whole = v.pipe(v.string(), v.digits(), v.transform(Number))
const Offset = v.optional(Whole, '0')
const Limit = v.optional(v.pipe(Whole, v.maxValue(MAX_LIMIT)), String(DEFAULT_LIMIT))

const Network = v.object({
  name: v.pipe(v.string(), v.nonEmpty()),
  description: v.nullish(v.string(), null),
  subType: v.picklist(['HOST', 'NETWORK', 'RANGE', 'FQDN']),
  value: v.string(),
  dnsResolution: v.nullish(v.string(), null),
  version: v.nullish(v.string()),
})

interface NetworkObject extends Omit<v.InferOutput<typeof Network>, 'version'> {
  readonly id: string
  readonly version: string
  readonly isSystemDefined: boolean
  readonly type: 'networkobject'
}

/** What answers a path below `/api/fdm/{v}/`, with the name it goes by in the counters. */
export interface ObjectEndpoint {
  readonly name: string
  readonly answer: (request: Request) => Reply
}

/**
 * Network objects and system information: as much of a device's configuration as its published
 * clients need to list, create, change and remove an object.
 *
 * @param serialNumber of the unit that answers, which a failover changes
 * @see https://developer.cisco.com/docs/ftd-api-reference/latest/
 */
export function createObjects(
  bench: Bench,
  serialNumber: () => string,
): (method: string, path: string) => ObjectEndpoint | undefined {
  const networks = new Map<string, NetworkObject>()
  const newUuid = () => uuidV4({ random: bench.random(16) })
  const newVersion = () => Buffer.from(bench.random(6)).toString('hex')
  const store = (object: NetworkObject): Reply => {
    networks.set(object.id, object)
    return { status: 200, json: withLinks(object) }
  }
  const nameTaken = (name: string, id?: string): boolean =>
    [...networks.values()].some((one) => one.name === name && one.id !== id)
  const type = 'networkobject' as const
  store({
    ...{ id: newUuid(), version: newVersion(), type, isSystemDefined: true, description: null },
    ...{ name: 'any-ipv4', subType: 'NETWORK', value: '0.0.0.0/0', dnsResolution: null },
  })

  function list({ query }: Request): Reply {
    const offset = v.safeParse(Offset, query.get('offset') ?? undefined)
    const limit = v.safeParse(Limit, query.get('limit') ?? undefined)
    if (!offset.success || !limit.success) return invalid('Invalid paging parameters')
    const all = [...networks.values()]
      .filter(matcher(query.get('filter') ?? ''))
      .toSorted(order(query.get('sort') ?? 'name'))
    const count = all.length
    const items = all.slice(offset.output, offset.output + limit.output).map(withLinks)
    const pages = limit.output === 0 ? 0 : Math.ceil(count / limit.output)
    const paging = { prev: [], next: [], limit: limit.output, offset: offset.output, count, pages }
    return { status: 200, json: { items, paging } }
  }

  function create(request: Request): Reply {
    const given = v.safeParse(Network, parseJson(request))
    if (!given.success) return invalid('Validation failed due to invalid content')
    const { version: _, ...object } = given.output
    if (nameTaken(object.name)) return duplicate(object.name)
    return store({ ...object, id: newUuid(), version: newVersion(), type, isSystemDefined: false })
  }

  function replace(request: Request, id: string): Reply {
    const held = networks.get(id)
    if (held === undefined) return missing
    const given = v.safeParse(Network, parseJson(request))
    if (!given.success) return invalid('Validation failed due to invalid content')
    const { version, ...object } = given.output
    if (version != null && version !== held.version) return invalid('Version is not the latest')
    if (nameTaken(object.name, id)) return duplicate(object.name)
    return store({ ...held, ...object, version: newVersion() })
  }

  function remove(id: string): Reply {
    // The published client takes exactly this answer for "already gone".
    return networks.delete(id)
      ? { status: 204 }
      : invalid('Validation failed due to an invalid UUID', 'INVALID_UUID')
  }

  function systemInformation(id: string): Reply {
    return id === 'default' ? { status: 200, json: systemInfo(serialNumber()) } : missing
  }

  const endpoints: Readonly<Record<string, (request: Request, id: string) => Reply>> = {
    'GET object/networks': list,
    'POST object/networks': create,
    'GET object/networks/{objId}': (_, id) => {
      const found = networks.get(id)
      return found === undefined ? missing : { status: 200, json: withLinks(found) }
    },
    'PUT object/networks/{objId}': replace,
    'DELETE object/networks/{objId}': (_, id) => remove(id),
    'GET operational/systeminfo/{objId}': (_, id) => systemInformation(id),
  }

  return (method, path) => {
    const [, collection = path, id] = /^(\w+\/\w+)\/([^/]+)$/.exec(path) ?? []
    const name = `${method} ${collection}${id === undefined ? '' : '/{objId}'}`
    const answer = Object.hasOwn(endpoints, name) ? endpoints[name] : undefined
    return answer && { name, answer: (request) => answer(request, id ?? '') }
  }
}

const missing = objectError(404, 'General', 'Resource not found.', 'resourceNotFound')

function duplicate(name: string): Reply {
  // The published client recognises a duplicate by these very words.
  return invalid(`Validation failed due to a duplicate name: ${name}`, 'duplicateName')
}

function invalid(description: string, code = 'invalid'): Reply {
  return objectError(422, 'Validation', description, code)
}

/** The error object of every path but the token's. */
function objectError(status: number, key: string, description: string, code: string): Reply {
  const messages = [{ description, code, location: '' }]
  return { status, json: { error: { severity: 'ERROR', key, messages } } }
}

function withLinks(object: NetworkObject) {
  return { ...object, links: { self: `/api/fdm/v6/object/networks/${object.id}` } }
}

/** `fts~text` finds text anywhere in the name, `name:text` the very name; others do not narrow. */
function matcher(filter: string): (object: NetworkObject) => boolean {
  const [, how, text = ''] = /^(fts~|name:)(.*)$/.exec(filter) ?? []
  if (how === 'fts~') return ({ name }) => name.includes(text)
  return how === 'name:' ? ({ name }) => name === text : () => true
}

function order(sort: string): (a: NetworkObject, b: NetworkObject) => number {
  const sign = sort.startsWith('-') ? -1 : 1
  return (a, b) => sign * a.name.localeCompare(b.name)
}

function systemInfo(serialNumber: string) {
  return {
    id: 'default',
    type: 'systeminformation',
    hostname: 'firepower',
    platformModel: 'Cisco Firepower Threat Defense for VMware',
    softwareVersion: '7.4.1-172',
    vdbVersion: { lastSuccessVDBDate: '', vdbBuild: 370, type: 'vdbversion' },
    // The published Ansible module chooses its filter syntax by this version.
    databaseInfo: { buildVersion: '7.4.1', type: 'databaseinfo' },
    serialNumber,
    links: { self: '/api/fdm/v6/operational/systeminfo/default' },
  }
}
