import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { causes } from '../lib/core/incident.ts'
import { eventSchemas } from '../scripts/event-schemas.ts'

const docs = readFileSync('docs/observability.md', 'utf8')
const rows = docs.split('\n').filter((line) => line.startsWith('| `'))
const firstCells = rows.map((row) => row.split('|')[1]?.trim())

/** Every name that a pattern finds in a source. */
const found = (file: string, pattern: RegExp): string[] => {
  const names = [...readFileSync(file, 'utf8').matchAll(pattern)].map(([, name = '']) => name)
  expect(names.length).toBeGreaterThan(0)
  return names
}

describe('docs/observability.md has a row for', () => {
  test('every metric that a tick writes', () => {
    const written = [
      ...found('lib/core/measure.ts', /readonly ([A-Z]\w+)\??: /g),
      ...found('lib/aws/metrics.ts', /\['(\w+)', MetricUnit/g),
    ]
    expect(written).toHaveLength(11)
    for (const name of written) expect(firstCells).toContain(`\`${name}\``)
  })

  test('every alarm', () => {
    const files = ['lib/cdk/connection-alarms.ts', 'lib/cdk/function-alarms.ts']
    const raised = files.flatMap((file) => found(file, /(?:new Alarm\(this, |flag\(\s*)'(\w+)'/g))
    expect(raised).toHaveLength(7)
    for (const name of raised) expect(firstCells).toContain(`\`${name}\``)
  })

  test('every event, with its schema, and every cause', () => {
    for (const [file, { title }] of Object.entries(eventSchemas())) {
      expect(rows.find((row) => row.startsWith(`| \`${title}\` |`))).toContain(`events/${file}`)
      expect(existsSync(`docs/events/${file}`)).toBe(true)
    }
    expect(readdirSync('docs/events')).toHaveLength(Object.keys(eventSchemas()).length)
    for (const cause of causes) {
      expect(firstCells).toContain(`\`${cause}\``)
    }
  })
})

test('docs/observability.md lists every code of an outcome', () => {
  const outcomes = [
    ...found('lib/core/release.ts', /^ {4}\| '([a-z-]+)'/gm),
    ...found('lib/core/release.ts', /\['outcome'\] \| '([a-z-]+)' \|/g),
    ...found('lib/core/release.ts', /\| '([a-z-]+)'\n}/g),
  ]
  expect(outcomes).toHaveLength(13)
  for (const outcome of outcomes) expect(docs).toContain(`\`${outcome}\``)
  const errors = found('lib/core/errors.ts', /(?:readonly code = |code: )'(ERR_\w+)'/g)
  expect(docs).toContain(`(${outcomes.length + new Set(errors).size} codes in all`)
})
