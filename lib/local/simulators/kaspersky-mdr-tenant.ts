import * as v from 'valibot'
import { parseJson, type Reply, type Request } from './http-server.ts'
import {
  matching,
  page,
  pick,
  Row,
  rows,
  sampleAsset,
  sampleIncident,
} from './kaspersky-mdr-records.ts'

/**
 * What a customer of MDR sees: a few incidents and assets, with every member that the published
 * sync client reads. Instants are milliseconds since 1970, 13 digits.
 *
 * @see https://support.kaspersky.com/MDR/RestAPI/REST_API_doc.html
 * @see https://github.com/klsecservices/MDR-integrations mdr_integration/src/mdr_sync.py
 * @param clock what is new is dated by it; the incidents lie in the hours before the start
 * @returns per path below `/api/v1/{client_id}/`, what answers it
 */
export function createTenant(
  clock: () => Date,
): Readonly<Record<string, (request: Request) => Reply | Promise<Reply>>> {
  const now = clock()
  const incidents = [1, 2, 3].map((n) => sampleIncident(n, now))
  const assets = [1, 2].map((n) => sampleAsset(n, now))
  const files = new Map([['att-1', 'collected by the responder\n']])
  let made = 0

  const find = (body: Row): Row | undefined =>
    incidents.find((row) => row.incident_id === body.incident_id)
  const ofIncident = (member: string) =>
    withBody((body) => {
      const found = find(body)
      return found === undefined ? missing : ok(page(rows(found[member]), body))
    })
  const addTo = (member: string, incidentId: unknown, row: Row): boolean => {
    const found = find({ incident_id: incidentId })
    if (found === undefined) return false
    found[member] = [...rows(found[member]), row]
    return true
  }
  const created = () => ({ creation_time: clock().getTime() })

  return {
    'incidents/count': withBody((body) => ok({ count: matching(incidents, body).length })),
    'incidents/list': withBody((body) => ok(page(matching(incidents, body), body))),
    'incidents/details': withBody((body) => {
      const found = find(body)
      return found === undefined ? missing : ok(pick(found, body.fields))
    }),
    'incidents/history': withBody((body) => (find(body) === undefined ? missing : ok([]))),
    'incidents/create': withBody((body) => {
      if (!v.is(v.string(), body.summary)) return invalid('summary')
      const row = sampleIncident(incidents.length + 1, now)
      incidents.push({ ...row, ...body })
      return ok({ incident_id: row.incident_id })
    }),
    'incidents/close': withBody((body) => {
      const found = find(body)
      if (found === undefined) return missing
      Object.assign(found, { status: 'Closed', resolution: body.resolution_status })
      return ok({ incident_id: found.incident_id })
    }),
    'assets/count': withBody((body) => ok({ count: matching(assets, body).length })),
    'assets/list': withBody((body) => ok(page(matching(assets, body), body))),
    'assets/details': withBody((body) => {
      const found = assets.find((row) => row.asset_id === body.asset_id)
      return found === undefined ? missing : ok(pick(found, body.fields))
    }),
    'responses/list': ofIncident('responses'),
    'responses/update': withBody(() => ok({})),
    'response/update': withBody(() => ok({})),
    'comments/list': ofIncident('comments'),
    'comments/create': withBody((body) => {
      made += 1
      const comment_id = `com-new-${made}`
      const comment = { comment_id, text: body.text, author_name: 'api', ...created() }
      return addTo('comments', body.incident_id, comment) ? ok({ comment_id }) : missing
    }),
    'comments/delete': withBody(() => ok({})),
    'attachments/list': ofIncident('attachments'),
    'attachments/download': withBody((body) => {
      const content = files.get(String(body.attachment_id))
      return content === undefined ? missing : { status: 200, body: content }
    }),
    async 'attachments/upload'(request) {
      const upload = await readUpload(request)
      if (upload === undefined) return invalid('meta')
      made += 1
      const attachment_id = `att-new-${made}`
      const { name, content, incidentId } = upload
      files.set(attachment_id, content)
      const attachment = {
        attachment_id,
        full_name: name,
        file_size: content.length,
        author_name: 'api',
        ...created(),
      }
      return addTo('attachments', incidentId, attachment) ? ok({ attachment_id }) : missing
    },
  }
}

const missing: Reply = { status: 404, json: { error: 'not found' } }
const invalid = (field: string): Reply => ({ status: 400, json: { error: `invalid ${field}` } })
const ok = (json: unknown): Reply => ({ status: 200, json })

function withBody(answer: (body: Row) => Reply): (request: Request) => Reply {
  return (request) => {
    const body = v.safeParse(Row, request.body.length === 0 ? {} : parseJson(request))
    return body.success ? answer(body.output) : invalid('body')
  }
}

async function readUpload(
  request: Request,
): Promise<{ name: string; content: string; incidentId: unknown } | undefined> {
  const type = request.headers['content-type'] ?? ''
  const form = await new Response(new Uint8Array(request.body), {
    headers: { 'content-type': type },
  })
    .formData()
    .catch(() => undefined)
  const file = form?.get('file')
  const meta = form?.get('meta')
  if (!(file instanceof File) || typeof meta !== 'string') return undefined
  const decoded = v.safeParse(v.pipe(v.string(), v.parseJson(), Row), meta)
  if (!decoded.success) return undefined
  return { name: file.name, content: await file.text(), incidentId: decoded.output.incident_id }
}
