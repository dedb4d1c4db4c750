import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeConnections } from '../lib/core/decode-connections.ts'
import { vendors } from '../lib/vendors/index.ts'

const readme = readFileSync('README.md', 'utf8')
const scripts = (
  JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
).scripts
const construct = readFileSync('docs/construct.md', 'utf8')
const blocks = (language: string, page = readme) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, code]) => code ?? '',
  )

describe('the README', () => {
  test('shows the two commands, and CI runs exactly the second', () => {
    const shell = blocks('sh').map((code) => code.trim())
    expect(shell).toContain('npm ci && npm start')
    expect(shell).toContain('npm ci && npm test')
    expect(readFileSync('.ci/run', 'utf8').trimEnd().split('\n').at(-1)).toBe('npm ci && npm test')
  })

  test('keeps what npm start promises: the shipped functions rotate, and the counts are zero', () => {
    const options = ['--duration', '8', '--speed', '60', '--port', '0']
    const started = spawnSync('npm', ['start', '--', ...options], { encoding: 'utf8' })
    expect(started.stdout).toContain('AWS endpoint at http://127.0.0.1:')
    expect(started.stdout).toMatch(/ 0 spent twice, 0 pairs lost; \d+ reads, 0 of a dead token\n$/)
    expect(started.stderr).not.toMatch(/warning|deprecat/i)
    expect(started.status).toBe(0)
  }, 120_000)

  test('names no npm script that does not exist', () => {
    const named = [...readme.matchAll(/npm (?:run (?:-s )?)([a-z-]+)/g)].map(
      ([, name]) => name ?? '',
    )
    expect(named.length).toBeGreaterThan(2)
    for (const name of named) expect(Object.keys(scripts)).toContain(name)
  })

  test('has a row for every vendor and every command', async () => {
    for (const id of Object.keys(vendors)) expect(readme).toContain(`| \`${id}\` |`)
    const help = spawnSync(process.execPath, ['--import', 'tsx', 'bin/token-rotator.ts', '--help'])
    const commands = [...help.stdout.toString().matchAll(/^ {2}([a-z-]+) /gm)].map(
      ([, name]) => name ?? '',
    )
    expect(commands.length).toBeGreaterThan(4)
    for (const name of commands) expect(readme).toMatch(new RegExp(`\\| \`${name}[ \`]`))
  })

  test('names every error code', () => {
    const source = readFileSync('lib/core/errors.ts', 'utf8')
    const codes = new Set(
      [...source.matchAll(/readonly code = '(ERR_[A-Z_]+)'/g)].map(([, code]) => code ?? ''),
    )
    for (const code of codes) expect(readme).toContain(`| \`${code}\` |`)
  })

  test('shows connections that are taken as they are', () => {
    const shown = blocks('json').map((json) => JSON.parse(json) as unknown)
    expect(shown).toHaveLength(3)
    expect(decodeConnections(shown, vendors)).toHaveLength(3)
  })

  test('leads to a page that names every prop of the construct', () => {
    expect(readme).toContain('(docs/construct.md)')
    const source = readFileSync('lib/cdk/token-rotator-props.ts', 'utf8')
    const props = [...source.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name ?? '')
    expect(props.length).toBeGreaterThan(10)
    const rows = construct.split('\n').filter((line) => line.startsWith('| `'))
    for (const name of props) expect(rows.join('\n')).toContain(`\`${name}\``)
  })

  test('shows code that type-checks, as does that page', async () => {
    const folder = await mkdtemp('.readme-')
    try {
      const shown = [...blocks('ts'), ...blocks('ts', construct)]
      const snippets = shown.map((code) => code.replaceAll("'./lib/", "'../lib/"))
      expect(snippets.length).toBeGreaterThan(1)
      await Promise.all(snippets.map((code, n) => writeFile(join(folder, `snippet-${n}.ts`), code)))
      await writeFile(
        join(folder, 'tsconfig.json'),
        JSON.stringify({
          extends: '../tsconfig.json',
          include: ['*.ts', '../lib/undici-deep.d.ts'],
        }),
      )
      const checked = spawnSync(join('node_modules', '.bin', 'tsc'), ['-p', folder])
      expect(checked.stdout.toString()).toBe('')
      expect(checked.status).toBe(0)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
