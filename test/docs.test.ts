import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

test.each(pages)('%s names only tests and files that are there', (page) => {
  const text = readFileSync(page, 'utf8')
  const named = [
    ...[...text.matchAll(/`((?:test|lib|scripts|docs)\/[\w./-]+\.\w+)`/g)].map(([, path]) => path),
    ...[...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path]) =>
      join(dirname(page), path ?? ''),
    ),
  ]
  expect(named.filter((path) => !existsSync(path ?? ''))).toEqual([])
})
