import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from './build.ts'
import { bundleCommand } from './bundle-command.ts'
import { thirdPartyLicences } from './third-party-licences.ts'

// What `npm pack` puts into the package, in dist:
//
//     assets/<vendor>/  the functions, bundled
//     cli/              the command, bundled, local mode included
//     lib/              the construct and the consumer library, compiled, with their types
const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')

const functions = await bundle(dist)
const command = await bundleCommand(root, dist)
writeFileSync(
  join(dist, 'THIRD-PARTY-LICENSES.txt'),
  `${thirdPartyLicences(root, [functions.metafile, command])}\n`,
)
rmSync(join(dist, 'lib'), { recursive: true, force: true })
execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.package.json'], {
  cwd: root,
  stdio: 'inherit',
})
renameImports(join(dist, 'lib'))

/** The compiler leaves `.ts` in the imports of declarations, where not every tool can follow. */
function renameImports(folder: string): void {
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.d.ts')) continue
    const file = join(folder, path)
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(/((?:from |import\()['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'))
  }
}
