import { readdirSync, readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import { describe, expect, test } from 'vitest'
import type { RotatorEvent } from '../lib/core/events.ts'
import { causes } from '../lib/core/incident.ts'
import { conclude, type Ending } from '../lib/core/release.ts'
import { later } from '../lib/core/renewal.ts'
import { eventSchemas } from '../scripts/event-schemas.ts'
import { portsOnEndpoint } from './aws/ports-on-endpoint.ts'
import { openRun } from './core/open-run.ts'
import { mdrWorld, start } from './core/world.ts'
import { simulate } from './simulation/simulate.ts'

interface Schema {
  readonly title: string
  readonly properties: {
    readonly detail: { readonly properties: Readonly<Record<string, unknown>> }
  }
}

const folder = 'docs/events'
const schemas = readdirSync(folder).map(
  (file) => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as Schema,
)
const ajv = new Ajv({ allErrors: true })
const checks = new Map<string, ValidateFunction>(
  schemas.map((schema) => [schema.title, ajv.compile(schema)]),
)

/** What an event has against its schema, a field that is not documented included. */
function faultsOf(event: { 'detail-type': string; detail: unknown }): unknown[] {
  const check = checks.get(event['detail-type'])
  if (check === undefined) return [`no schema of ${event['detail-type']}`]
  const schema = schemas.find(({ title }) => title === event['detail-type'])
  const documented = Object.keys(schema?.properties.detail.properties ?? {})
  const unknown = Object.keys(Object(event.detail)).filter((field) => !documented.includes(field))
  return [...(check(event) ? [] : (check.errors ?? [])), ...unknown]
}

/** As a rule's target receives it, as far as it is ours. */
const delivered = ({ type, idempotencyKey, detail }: RotatorEvent) => ({
  source: 'token-rotator',
  'detail-type': type,
  detail: JSON.parse(JSON.stringify({ idempotencyKey, ...detail })) as unknown,
})

test('the files are those that npm run schema makes', () => {
  const files = readdirSync(folder).map((file) => [
    file,
    JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as unknown,
  ])
  expect(Object.fromEntries(files)).toEqual(eventSchemas())
})

describe('an event keeps its schema, and has no field beside it', () => {
  // A certificate's end is told beside whatever a run comes to: below.
  const blocking = causes.filter((cause) => cause !== 'certificate-expiring')
  const published = {
    versionId: 'version-1',
    issuedAt: start,
    expiresAt: later(start, 3600),
    held: true,
    where: 'secret',
    proven: true,
  } as const
  const open = { id: 'mdr-prod/version-0/0', openedAt: start, told: ['verify-failed'] as const }
  const expiring = { name: 'client', notAfter: later(start, 86_400), days: 7 }

  test.each<[string, Ending, boolean]>([
    ...blocking.map((cause): [string, Ending, boolean] => [
      cause,
      { outcome: 'blocked', cause, message: 'the "vendor" said no', warning: 'look' },
      false,
    ]),
    ['certificate-expiring', { outcome: 'rotated', expiring: [expiring] }, false],
    ['a rotation', { outcome: 'rotated', warning: 'another unit answers' }, false],
    ['a recovery', { outcome: 'published' }, true],
  ])('on the bus: %s', async (_what, ending, isOpen) => {
    const { endpoint, events } = await portsOnEndpoint()
    const world = mdrWorld()
    Object.assign(world.connection, { readers: ['siem-forwarder'] })
    const item = { published, ...(isOpen ? { incident: open } : {}) }
    const context = await openRun(world, { item })
    await conclude(ending, { ...context, ports: { ...context.ports, events } })
    expect(endpoint.events().length).toBeGreaterThan(0)
    expect(endpoint.events().flatMap(faultsOf)).toEqual([])
  })

  test('in worlds full of trouble, where every kind of event comes up', async () => {
    const seen: RotatorEvent[] = []
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      await simulate(seed, {
        hours: 6,
        through: (ports) => ({
          ...ports,
          events: {
            emit(event) {
              seen.push(event)
              return ports.events.emit(event)
            },
          },
        }),
      })
    }
    expect([...new Set(seen.map(({ type }) => type))].sort()).toEqual([...checks.keys()].sort())
    expect(seen.map(delivered).flatMap(faultsOf)).toEqual([])
  }, 60_000)
})

describe('a schema refuses', () => {
  const event = (change: object) => ({
    source: 'token-rotator',
    'detail-type': 'Token Rotated',
    detail: {
      schema: 1,
      idempotencyKey: 'run-1/rotated',
      connection: 'mdr-prod',
      vendor: 'kaspersky-mdr',
      at: '2026-01-01T00:00:00.000Z',
      outcome: 'rotated',
      ...change,
    },
  })

  test.each([
    ['an event without a key', { idempotencyKey: undefined }],
    ['another version', { schema: 2 }],
    ['an instant of no day', { at: 'soon' }],
    ['an outcome that no run has', { outcome: 'ok' }],
    ['a connection that cannot be', { connection: 'MDR prod' }],
    ['a field that is not documented', { token: 'x' }],
  ])('%s', (_what, change) => {
    expect(faultsOf(asJson(event({})))).toEqual([])
    expect(faultsOf(asJson(event(change)))).toHaveLength(1)
  })
})

function asJson(event: { source: string; 'detail-type': string; detail: object }) {
  return JSON.parse(JSON.stringify(event)) as typeof event
}
