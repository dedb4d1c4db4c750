import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { JsonSchema } from '@valibot/to-json-schema'
import { eventSource, eventType, type RotatorEvent } from '../lib/core/events.ts'
import { causes } from '../lib/core/incident.ts'
import type { Ending } from '../lib/core/release.ts'
import { vendors } from '../lib/vendors/index.ts'

type Detail = RotatorEvent['detail'] & Pick<RotatorEvent, 'idempotencyKey'>

const text = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description })
const instant = (description: string): JsonSchema => ({
  type: 'string',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$',
  description: `${description} ISO 8601, UTC.`,
})
const line = (description: string): JsonSchema => ({
  type: 'string',
  pattern: '^[^"\\n\\\\]+$',
  description,
})

/** Each way in which a run ends; a compiler error if one is missing here. */
const outcomes: Readonly<Record<Ending['outcome'], true>> = {
  unchanged: true,
  rotated: true,
  recovered: true,
  resumed: true,
  published: true,
  'kept-alive': true,
  retired: true,
  standby: true,
  unenrolled: true,
  blocked: true,
  failed: true,
}

const fields: Readonly<Record<keyof Detail, JsonSchema>> = {
  schema: { const: 1, description: 'Version of this schema. Fields may be added to it.' },
  idempotencyKey: text(
    'Equal for repeats of the same event, which may be delivered more than once.',
  ),
  connection: { type: 'string', pattern: '^[a-z0-9-]{1,48}$', description: 'As configured.' },
  vendor: { enum: Object.keys(vendors), description: 'As configured.' },
  at: instant('When the run that tells of it came to its end.'),
  outcome: { enum: Object.keys(outcomes), description: 'How that run ended.' },
  cause: { description: 'Why a person is told.' },
  incident: text('Names the incident: equal from its first cause to its recovery.'),
  message: text('What went wrong, in the words of whoever met it.'),
  warning: text("The token works, but something at the vendor's side wants looking at."),
  publishedUntil: instant(
    'Until when the token that consumers read lives; absent if there is none or it has no end.',
  ),
  secret: text('Name of the secret whose readers are concerned.'),
  readers: {
    type: 'array',
    items: { type: 'string' },
    description: 'Who reads that secret, as configured.',
  },
  steps: {
    type: 'array',
    items: { type: 'string', minLength: 1 },
    minItems: 1,
    description: "What a person does: at the vendor's console, then the command to run.",
  },
  notify: {
    const: true,
    description:
      'On what a person is to read: once per incident, and again only if it comes to need their hand.',
  },
  words: {
    type: 'object',
    description: 'The same for a person, a line each.',
    properties: {
      headline: line('Which connection, and what is the matter with it.'),
      happened: line('Why.'),
      reach: line('Who reads the secret, and until when the token in it lives.'),
      todo: line('What to do, its steps numbered.'),
    },
    required: ['headline', 'happened', 'reach', 'todo'],
  },
}

const always: readonly (keyof Detail)[] = [
  'schema',
  'idempotencyKey',
  'connection',
  'vendor',
  'at',
  'outcome',
]
const told: readonly (keyof Detail)[] = [...always, 'cause', 'secret', 'steps', 'words']

interface Kind {
  readonly description: string
  readonly required: readonly (keyof Detail)[]
  readonly optional: readonly (keyof Detail)[]
}

/** Those with a cause carry each that `eventType` gives them. */
const kinds: Readonly<Record<RotatorEvent['type'], Kind>> = {
  'Token Rotated': {
    description: 'A new token is published.',
    required: always,
    optional: ['publishedUntil', 'warning'],
  },
  'Token Rotation Failed': {
    description: 'A person is told of a cause that is neither of the two below.',
    required: told,
    // A certificate's end is told before anything is wrong: it belongs to no incident.
    optional: ['incident', 'message', 'publishedUntil', 'readers', 'notify', 'warning'],
  },
  'Token At Risk': {
    description: 'A refresh token was sent and its answer is missing; consumers are served on.',
    required: [...told, 'incident'],
    optional: ['message', 'publishedUntil', 'readers', 'notify', 'warning'],
  },
  'Enrollment Required': {
    description: 'Nothing usable is left: a person has to enroll the connection again.',
    required: [...told, 'incident'],
    optional: ['message', 'publishedUntil', 'readers', 'notify', 'warning'],
  },
  'Token Recovered': {
    description: 'An incident is over: nothing is in doubt, and consumers read a proven token.',
    required: [...always, 'incident'],
    optional: ['publishedUntil', 'warning'],
  },
}

/** The JSON Schema of each event as a rule's target receives it, by the name of its file. */
export function eventSchemas(): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(kinds).map(([type, kind]) => [
      `${type.toLowerCase().replaceAll(' ', '-')}.json`,
      eventSchema(type, kind),
    ]),
  )
}

function eventSchema(type: string, { description, required, optional }: Kind): JsonSchema {
  const names = [...required, ...optional]
  const described = Object.entries(fields).filter(([name]) => names.includes(name as keyof Detail))
  const properties = Object.fromEntries(described)
  const own = causes.filter((cause) => eventType(cause) === type)
  if (own.length > 0) properties.cause = { ...fields.cause, enum: own }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: type,
    description,
    type: 'object',
    properties: {
      source: { const: eventSource },
      'detail-type': { const: type },
      detail: { type: 'object', properties, required: [...required] },
    },
    required: ['source', 'detail-type', 'detail'],
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = new URL('../docs/events/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  for (const [name, schema] of Object.entries(eventSchemas())) {
    writeFileSync(new URL(name, folder), `${JSON.stringify(schema, null, 2)}\n`)
  }
}
