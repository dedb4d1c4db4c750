import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly inBundle?: boolean
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
}

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const manifest = read('package.json')
const { packages } = read('package-lock.json') as { packages: Record<string, Locked> }
const foreign = Object.entries(packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && link !== true,
)

test('what the project asks for is asked for in one version', () => {
  const asked = { ...manifest.dependencies, ...manifest.devDependencies } as Record<string, string>
  expect(Object.values(asked).filter((range) => !/^\d+\.\d+\.\d+$/.test(range))).toEqual([])
})

test('every package is known by a digest, its own or that of the one it comes inside', () => {
  expect(foreign.length).toBeGreaterThan(100)
  const unknown = foreign.filter(([, { integrity, inBundle }]) => {
    return integrity?.startsWith('sha512-') !== true && inBundle !== true
  })
  expect(unknown.map(([path]) => path)).toEqual([])
})

test('no package but three tools runs a script when it is installed', () => {
  const scripted = foreign.filter(([, { hasInstallScript }]) => hasInstallScript === true)
  expect(scripted.map(([path]) => path).sort()).toEqual([
    'node_modules/classic-level',
    'node_modules/esbuild',
    'node_modules/vite/node_modules/esbuild',
  ])
  const shipped = Object.keys(manifest.dependencies)
  expect(shipped.filter((name) => packages[`node_modules/${name}`]?.hasInstallScript)).toEqual([])
})
