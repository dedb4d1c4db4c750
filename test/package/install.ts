import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** What a release is made of; the tests and the tools stay behind. */
const sources = [
  ...['bin', 'docs', 'lambdas', 'lib', 'scripts'],
  ...['package.json', 'tsconfig.json', 'tsconfig.package.json', 'connections.schema.json'],
  ...['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md'],
]

const repository = resolve('node_modules')

interface Manifest {
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>
}

/**
 * Runs `npm pack` on a copy of the sources, its own build included.
 *
 * @param folder an empty folder to do it in
 * @returns path of the tarball
 */
export function pack(folder: string): string {
  for (const source of sources) cpSync(source, join(folder, source), { recursive: true })
  symlinkSync(repository, join(folder, 'node_modules'))
  const printed = execFileSync('npm', ['pack', '--json'], { cwd: folder, encoding: 'utf8' })
  const [packed] = JSON.parse(printed) as { filename: string }[]
  return join(folder, packed?.filename ?? '')
}

/**
 * What `npm install <tarball>` leaves in an app's folder, without asking a registry: the package, its
 * commands, and beside it what it declares to need, from this repository, and nothing else.
 *
 * @param others packages that the app itself asks for
 */
export function install(tarball: string, app: string, others: readonly string[]): Manifest {
  const modules = join(app, 'node_modules')
  const home = join(modules, 'token-rotator')
  mkdirSync(home, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', home, '--strip-components', '1'])
  const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest
  const { bin, dependencies, peerDependencies, peerDependenciesMeta } = manifest
  const peers = Object.keys(peerDependencies).filter(
    (name) => peerDependenciesMeta[name]?.optional !== true,
  )
  for (const name of new Set([...Object.keys(dependencies), ...peers, ...others])) {
    const link = join(modules, name)
    mkdirSync(dirname(link), { recursive: true })
    // Behind the link lies the repository, so that what a dependency needs in turn is found there.
    symlinkSync(join(repository, name), link)
  }
  mkdirSync(join(modules, '.bin'))
  for (const [name, path] of Object.entries(bin)) {
    symlinkSync(join('..', 'token-rotator', path), join(modules, '.bin', name))
  }
  return manifest
}
