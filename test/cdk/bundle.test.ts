import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { vendors } from '../../lib/vendors/index.ts'
import { bundle } from '../../scripts/build.ts'
import { temporaryFolder } from '../temporary.ts'

const dist = temporaryFolder()
const again = temporaryFolder()

beforeAll(async () => {
  await bundle(dist)
  await bundle(again)
}, 60_000)

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  )
}

/** Runs a statement about the bundled handler in a Node of its own, with nothing in the environment. */
function evaluate(vendor: string, statement: string): string {
  const entry = join(dist, 'assets', vendor, `${vendor}.mjs`)
  const code = `const { handler } = await import(${JSON.stringify(entry)}); ${statement}`
  return execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    env: {},
    encoding: 'utf8',
  })
}

test('every vendor of the table has a function', () => {
  expect(readdirSync(join(dist, 'assets')).sort()).toEqual(Object.keys(vendors).sort())
})

test('building twice gives the same files', () => {
  for (const vendor of Object.keys(vendors)) {
    const folder = join('assets', vendor)
    expect(contents(join(again, folder))).toEqual(contents(join(dist, folder)))
  }
})

describe.each(Object.keys(vendors))('the function of %s', (vendor) => {
  test('carries its own entry, chunks that something imports, and no source map', () => {
    const files = contents(join(dist, 'assets', vendor))
    const all = Object.values(files).join('')
    expect(all).not.toContain('//# sourceMappingURL')
    for (const file of Object.keys(files)) {
      expect(file).toMatch(/^(chunk-[A-Z0-9]{8}|[a-z0-9-]+)\.mjs$/)
      if (file !== `${vendor}.mjs`) expect(all).toContain(`"./${file}"`)
    }
  })

  test('needs no package at run time', () => {
    const all = Object.values(contents(join(dist, 'assets', vendor))).join('')
    const imported = [...all.matchAll(/(?:from|import)"([^"]+)"/g)].map(([, name]) => name)
    expect(imported.filter((name) => !/^(node:|\.\/)/.test(name ?? ''))).toEqual([])
  })

  test('refuses to run without its environment, and names the variable', () => {
    const printed = evaluate(
      vendor,
      'await handler({}, { getRemainingTimeInMillis: () => 300000 }).catch((error) => console.log(error.code, error.field))',
    )
    expect(printed.trim()).toBe('ERR_CONFIG TOKEN_ROTATOR_LEDGER_TABLE')
  })
})
