import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const page = readFileSync('CONTRIBUTING.md', 'utf8')

/** The files that the page shows, by the path in their first line. */
const shown = [...page.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(
  ([, path = '', code = '']) => ({
    path,
    code,
  }),
)

let house: string

/** A house of its own: the project's files by links, and what the page shows as files among them. */
beforeAll(async () => {
  house = await mkdtemp('.contributing-')
  const folders = [...new Set(shown.flatMap(({ path }) => foldersAbove(path)))].sort()
  for (const folder of folders) {
    await mkdir(join(house, folder), { recursive: true })
    const entries = folder.startsWith('test') ? [] : await readdir(folder)
    for (const entry of entries) {
      const isOpened = folders.some((other) => `${other}/`.startsWith(`${folder}/${entry}/`))
      if (isOpened) continue
      await symlink(resolve(folder, entry), join(house, folder, entry))
    }
  }
  for (const { path, code } of shown) await writeFile(join(house, path), code)
  await writeFile(
    join(house, 'tsconfig.json'),
    JSON.stringify({
      extends: '../tsconfig.json',
      include: shown.map(({ path }) => path).concat('../lib/undici-deep.d.ts'),
    }),
  )
})

function foldersAbove(path: string): string[] {
  const folder = dirname(path)
  return folder === '.' ? [] : [...foldersAbove(folder), folder]
}

afterAll(() => rm(house, { recursive: true }))

const run = (tool: string, ...args: string[]) =>
  spawnSync(join('node_modules', '.bin', tool), args, { encoding: 'utf8' })

describe('the page on adding a vendor', () => {
  test('shows an adapter, a simulator, a test and a function', () => {
    expect(shown.map(({ path }) => basename(dirname(path))).sort()).toEqual([
      'lambdas',
      'simulators',
      'vendors',
      'vendors',
    ])
  })

  test('shows code that type-checks', () => {
    expect(run('tsc', '-p', house).stdout).toBe('')
  })

  test.each(shown)('shows $path as lint would have it', ({ path, code }) => {
    const input = `// ${path}\n${code}`
    const biome = join('node_modules', '.bin', 'biome')
    const options = { input, encoding: 'utf8' } as const
    const { stdout } = spawnSync(biome, ['check', '--write', `--stdin-file-path=${path}`], options)
    expect(stdout).toBe(input)
  })

  test('shows tests that pass on the code it shows', () => {
    const { stdout, status } = run('vitest', 'run', '--root', house, '--reporter=default')
    expect(stdout).toContain('example-edr.test.ts')
    expect(status).toBe(0)
  })
})
