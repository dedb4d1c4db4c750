import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'

// CommonJS in an ES module: what it finds around itself must be made.
const surroundings = [
  "import{createRequire as __createRequire}from'node:module';",
  "import{dirname as __dirnameOf}from'node:path';",
  "import{fileURLToPath as __pathOf}from'node:url';",
  'const require=__createRequire(import.meta.url),__filename=__pathOf(import.meta.url),__dirname=__dirnameOf(__filename);',
].join('')

/** dynalite names the files of its operations without their ending; the bundler takes names as they are. */
const dynaliteOperations: Plugin = {
  name: 'dynalite-operations',
  setup({ onLoad }) {
    onLoad({ filter: /\/dynalite\/index\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(
        /require\(('\.\/(?:actions|validations)\/') \+ action\)/g,
        "require($1 + action + '.js')",
      ),
    }))
  },
}

/**
 * Bundles the command with everything that it needs, local mode and its simulators included, so that an
 * app which only wants the construct installs none of it. Each command is a chunk that is loaded when
 * it is asked for.
 *
 * @param dist folder to write to; `cli` in it is replaced
 * @returns what went in
 */
export async function bundleCommand(root: string, dist: string): Promise<Metafile> {
  const cli = join(dist, 'cli')
  rmSync(cli, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['bin/token-rotator.ts'],
    outdir: cli,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.18',
    mainFields: ['module', 'main'],
    // Native code cannot be bundled; it is looked for where the package is installed.
    alias: { level: './lib/local/aws/level.ts' },
    plugins: [dynaliteOperations],
    outExtension: { '.js': '.mjs' },
    banner: { js: surroundings },
    minify: true,
    // The OAuth server among the simulators goes by the names of its classes.
    keepNames: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  chmodSync(join(cli, 'token-rotator.mjs'), 0o755)
  return metafile
}
