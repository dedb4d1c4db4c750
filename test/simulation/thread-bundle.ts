import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/** One file that a thread starts from. */
export interface ThreadBundle {
  readonly url: URL
  /** Deletes it. */
  readonly remove: () => Promise<void>
}

// Some packages are CommonJS and call require, which an ES module does not have.
const banner =
  "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);"

/**
 * Bundles the code of a thread as the functions are bundled. Read by tsx it would be translated once
 * for each thread, and slower for good: tsx has every inner function carry its name, which is set anew
 * each time that one is made.
 */
export async function bundleThread(): Promise<ThreadBundle> {
  const folder = await mkdtemp(join(tmpdir(), 'token-rotator-torture-'))
  const outfile = join(folder, 'range-worker.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('range-worker.ts', import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    // Opens packages at enrollment; in a world everything is PEM text already.
    external: ['*-package.ts'],
    banner: { js: banner },
    logLevel: 'warning',
  })
  return {
    url: pathToFileURL(outfile),
    remove: () => rm(folder, { recursive: true }),
  }
}
