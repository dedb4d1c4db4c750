import { readFileSync } from 'node:fs'
import type { JsonSchema } from '@valibot/to-json-schema'
import { describe, expect, test } from 'vitest'
import { readConnections } from '../../lib/aws/environment.ts'
import { decodeConnections, encodeConnection } from '../../lib/core/decode-connections.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { connectionsSchema } from '../../scripts/schema.ts'

const connections = readConnections('connections.json', vendors)

test('the example has one connection for each vendor', () => {
  expect(connections.map(({ vendor }) => vendor).sort()).toEqual(Object.keys(vendors).sort())
})

test('the example names its schema', () => {
  const { $schema } = JSON.parse(readFileSync('connections.json', 'utf8'))
  expect($schema).toBe('./connections.schema.json')
})

test('what is encoded is decoded to the same', () => {
  expect(decodeConnections(connections.map(encodeConnection), vendors)).toEqual(connections)
})

test('an encoded connection is flat, with the defaults filled in', () => {
  const [decoded] = decodeConnections([{ id: 'mdr', vendor: 'kaspersky-mdr' }], vendors)
  expect(decoded && encodeConnection(decoded)).toEqual({
    id: 'mdr',
    vendor: 'kaspersky-mdr',
    url: 'https://mdr.kaspersky.com',
  })
})

describe('connections.schema.json', () => {
  const schema = connectionsSchema()

  test('is what npm run schema makes', () => {
    expect(JSON.parse(readFileSync('connections.schema.json', 'utf8'))).toEqual(schema)
  })

  test('describes every field', () => {
    const named = Object.values(schema.definitions ?? {}).flatMap(fields)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter(([, { description }]) => description === undefined)).toEqual([])
  })

  test('has no field for a secret', () => {
    const names = Object.values(schema.definitions ?? {})
      .flatMap(fields)
      .map(([name]) => name)
    const secrets = ['password', 'refreshToken', 'accessToken', 'clientSecret', 'privateKey']
    expect(names).toContain('id')
    expect(names.filter((name) => [...secrets, 'totpSecret'].includes(name))).toEqual([])
  })
})

function fields(schema: JsonSchema | boolean): [string, JsonSchema][] {
  if (typeof schema === 'boolean') return []
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => [
    ...(typeof property === 'boolean' ? [] : [[name, property] as [string, JsonSchema]]),
    ...fields(property),
  ])
}
