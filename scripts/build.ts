import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

// undici and parts of Powertools are CommonJS and call require, which an ES module does not have.
const requireBanner =
  "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);"

/**
 * Bundles every function, then lays out one folder per vendor with its entry and the chunks that the
 * entry imports, and nothing else.
 *
 *     lambdas/<vendor>.ts ──► dist/lambdas/  all entries, shared chunks, source maps
 *                         ──► dist/assets/<vendor>/  what is deployed
 *
 * The same input gives the same bytes and names, so that an unchanged function is not deployed again.
 *
 * @param dist folder to write to; `lambdas` and `assets` in it are replaced
 * @returns the vendors that were built, and what went in
 */
export async function bundle(dist: string): Promise<{ vendors: string[]; metafile: Metafile }> {
  const lambdas = join(dist, 'lambdas')
  const assets = join(dist, 'assets')
  rmSync(lambdas, { recursive: true, force: true })
  rmSync(assets, { recursive: true, force: true })
  const entries = readdirSync(join(root, 'lambdas')).sort()
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: entries.map((file) => `lambdas/${file}`),
    outdir: lambdas,
    entryNames: '[name]',
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Opens an operator's package at enrollment, which is a command's work: no function ever loads it.
    external: ['*-package.ts'],
    // The SDK's ES modules shake, its CommonJS does not.
    mainFields: ['module', 'main'],
    outExtension: { '.js': '.mjs' },
    banner: { js: requireBanner },
    minify: true,
    legalComments: 'none',
    sourcemap: 'external',
    metafile: true,
    logLevel: 'warning',
  })
  const vendors = entries.map((file) => basename(file, '.ts'))
  for (const vendor of vendors) {
    const asset = join(assets, vendor)
    mkdirSync(asset, { recursive: true })
    for (const file of closure(metafile, `lambdas/${vendor}.ts`)) {
      cpSync(join(root, file), join(asset, basename(file)))
    }
  }
  return { vendors, metafile }
}

/** The output of an entry and every output it imports, at whatever distance. */
function closure({ outputs }: Metafile, entry: string): Set<string> {
  const [first] = Object.entries(outputs).find(([, output]) => output.entryPoint === entry) ?? []
  const found = new Set(first === undefined ? [] : [first])
  for (const file of found) {
    for (const { path, external } of outputs[file]?.imports ?? []) {
      if (external !== true) found.add(path)
    }
  }
  return found
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle(join(root, 'dist'))
