import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import { connectionSchema } from '../lib/core/decode-connections.ts'
import type { Vendor } from '../lib/core/vendor.ts'
import { vendors } from '../lib/vendors/index.ts'

const root = new URL('../', import.meta.url)

/** What the sources do not say of a field because the code needs no words for it. */
const common: Readonly<Record<string, string>> = {
  id: 'Names the secrets, the ledger item and the metrics.',
  vendor: 'Which vendor this is a connection to.',
  tls: "How the vendor's server is recognised. Public authorities when nothing is given.",
  readers:
    'Who reads the access token, by whatever name people know them: named to whoever is told of an incident.',
  renew: 'When to renew, beside what expiry demands. May shorten, never lengthen.',
}

/** The JSON Schema of `connections.json`, from the schemas that decode it and the comments in them. */
export function connectionsSchema(): JsonSchema {
  const ids = Object.keys(vendors)
  const list = '#/definitions/connections'
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Connections of token-rotator',
    description: 'What is rotated. Credentials never stand here: token-rotator enroll takes them.',
    anyOf: [
      { $ref: list },
      {
        type: 'object',
        properties: {
          $schema: { type: 'string', description: 'Path of this schema, for editors.' },
          connections: { $ref: list },
        },
        required: ['connections'],
        additionalProperties: false,
      },
    ],
    definitions: {
      connections: {
        description: 'The connections; each id once.',
        type: 'array',
        items: { anyOf: ids.map((id) => ({ $ref: `#/definitions/${id}` })) },
      },
      ...Object.fromEntries(
        Object.values(vendors).map((vendor) => [vendor.id, describedConnection(vendor)]),
      ),
    },
  }
}

function describedConnection(vendor: Vendor): JsonSchema {
  const schema = toJsonSchema(connectionSchema(vendor), {
    typeMode: 'input',
    // Some rules are functions, which no schema can say: decoding checks those as well.
    errorMode: 'ignore',
  })
  delete schema.$schema
  return { title: vendor.title, ...describe(schema, { ...comments(vendor.id), ...common }) }
}

/** Writes each property's description beside it, at whatever depth. */
function describe(schema: JsonSchema, texts: Readonly<Record<string, string>>): JsonSchema {
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const text = texts[name]
    const described = typeof property === 'boolean' ? {} : describe(property, texts)
    return [name, { ...(text === undefined ? {} : { description: text }), ...described }]
  })
  return properties.length === 0
    ? schema
    : { ...schema, properties: Object.fromEntries(properties) as Record<string, JsonSchema> }
}

/** The comment above each field of a vendor's options and of what is common to all. */
function comments(vendor: string): Record<string, string> {
  const folder = new URL('lib/vendors/', root)
  const files = [
    new URL('lib/core/connection.ts', root),
    ...readdirSync(folder)
      .filter((file) => file.startsWith(vendor))
      .sort()
      .map((file) => new URL(file, folder)),
  ]
  const found = files.flatMap((file) =>
    [
      ...readFileSync(file, 'utf8').matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n\s*(\w+): [A-Zv]/g),
    ].map(
      ([, comment = '', name = '']) => [name, comment.replace(/\s*\n\s*\*/g, '').trim()] as const,
    ),
  )
  return Object.fromEntries(found)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(
    new URL('connections.schema.json', root),
    `${JSON.stringify(connectionsSchema(), null, 2)}\n`,
  )
}
