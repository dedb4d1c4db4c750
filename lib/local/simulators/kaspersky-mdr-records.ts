import * as v from 'valibot'

const HOUR_MS = 3_600_000
const Int = v.pipe(v.number(), v.integer())

/** A JSON object of the API, its members as the vendor spells them. */
export const Row = v.record(v.string(), v.unknown())
export type Row = v.InferOutput<typeof Row>

/** How each documented filter narrows a list; what is not named here is ignored, as `version` is. */
const filters: Readonly<Record<string, (row: Row, wanted: unknown) => boolean>> = {
  min_creation_time: atLeast('creation_time'),
  max_creation_time: atMost('creation_time'),
  min_update_time: atLeast('update_time'),
  max_update_time: atMost('update_time'),
  min_first_seen: atLeast('first_seen'),
  max_first_seen: atMost('first_seen'),
  min_last_seen: atLeast('last_seen'),
  max_last_seen: atMost('last_seen'),
  statuses: oneOf('status'),
  priorities: oneOf('priority'),
  resolutions: oneOf('resolution'),
  tenants_names: oneOf('tenant_name'),
  host_names: oneOf('host_name'),
  domain: (row, wanted) => row.domain === wanted,
  search_phrase: (row, wanted) => JSON.stringify(row).includes(String(wanted)),
}

/** The rows that every filter of a request admits. */
export function matching(all: readonly Row[], body: Row): Row[] {
  return all.filter((row) =>
    Object.entries(body).every(
      ([name, wanted]) => !Object.hasOwn(filters, name) || filters[name]?.(row, wanted) === true,
    ),
  )
}

/**
 * Sorted, cut to a page, reduced to `fields`. Without `page_size` the whole list: the sync client
 * relies on as many rows as the count said.
 */
export function page(all: readonly Row[], body: Row): Row[] {
  const { page = 1, page_size = all.length, sort, fields } = body
  const [by, order] = typeof sort === 'string' ? sort.split(':') : []
  const sign = order === 'desc' ? -1 : 1
  const sorted = by === undefined ? all : all.toSorted((a, b) => sign * compare(a[by], b[by]))
  const size = v.is(Int, page_size) ? page_size : all.length
  const first = v.is(Int, page) ? (page - 1) * size : 0
  return sorted.slice(first, first + size).map((row) => pick(row, fields))
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a).localeCompare(String(b))
}

/** The members that `fields` names; all of them when it names none. */
export function pick(row: Row, fields: unknown): Row {
  if (!Array.isArray(fields)) return row
  return Object.fromEntries(Object.entries(row).filter(([name]) => fields.includes(name)))
}

/** A member that holds rows, e.g. the comments of an incident. */
export function rows(member: unknown): Row[] {
  return v.is(v.array(Row), member) ? member : []
}

function atLeast(member: string) {
  return (row: Row, wanted: unknown): boolean => Number(row[member]) >= Number(wanted)
}

function atMost(member: string) {
  return (row: Row, wanted: unknown): boolean => Number(row[member]) <= Number(wanted)
}

function oneOf(member: string) {
  return (row: Row, wanted: unknown): boolean =>
    Array.isArray(wanted) && wanted.includes(row[member])
}

/** The `n`-th incident, `n` hours old, with every member that the published sync client reads. */
export function sampleIncident(n: number, now: Date): Row {
  const creation_time = now.getTime() - n * HOUR_MS
  return {
    incident_id: `incident-${n}`,
    incident_number: n,
    creation_time,
    update_time: creation_time + HOUR_MS / 2,
    status: n === 3 ? 'Closed' : 'Open',
    priority: n === 1 ? 'HIGH' : 'NORMAL',
    resolution: n === 3 ? 'False positive' : '',
    summary: `Simulated incident ${n}`,
    tenant_name: 'Root tenant',
    affected_hosts: [`HOST-${n}`],
    asset_ids: [`0x${String(n).padStart(32, '0')}`],
    attachments:
      n === 1
        ? [
            {
              attachment_id: 'att-1',
              author_name: 'responder',
              creation_time,
              file_size: 27,
              full_name: 'collected.txt',
            },
          ]
        : [],
    comments:
      n === 1
        ? [{ comment_id: 'com-1', author_name: 'analyst', creation_time, text: 'Under analysis' }]
        : [],
    responses:
      n === 1 ? [{ response_id: 'res-1', creation_time, type: 'File', status: 'New' }] : [],
  }
}

/** The `n`-th asset, likewise complete for the published sync client in both its output formats. */
export function sampleAsset(n: number, now: Date): Row {
  return {
    asset_id: `0x${String(n).padStart(32, '0')}`,
    host_name: `HOST-${n}`,
    domain: 'example.test',
    first_seen: now.getTime() - 24 * HOUR_MS,
    last_seen: now.getTime() - n * HOUR_MS,
    os_version: 'Windows 11',
    installed_product_info: 'Kaspersky Endpoint Security',
    ksc_host_id: `ksc-host-${n}`,
    tenant_name: 'Root tenant',
    isolation: 'OFF',
    status: 'OK',
    status_reasons: [],
    network_interfaces: [
      {
        dsc: 'Ethernet',
        dnsd: 'example.test',
        defg: '192.0.2.1',
        mac: '00-00-5E-00-53-01',
        ipcm: '',
        ip: `192.0.2.${10 + n}`,
      },
    ],
  }
}
