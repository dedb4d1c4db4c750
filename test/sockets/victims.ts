import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Timings } from '../../lib/core/renewal.ts'

/** What the killed process does. */
export interface Work {
  readonly vendorIds: readonly string[]
  readonly timings: Timings
  readonly functionSeconds: number
  readonly everyMilliseconds: number
}

// Some of what is bundled is CommonJS and calls require, which an ES module does not have.
const banner =
  "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);"

/**
 * Processes that run the shipped functions in this process's environment, one after the other. The
 * next one is loaded while its predecessor is at work: what is killed is to be at work, not to load.
 */
export async function victims(work: Work) {
  const folder = await mkdtemp(join(tmpdir(), 'token-rotator-kill-'))
  const outfile = join(folder, 'child.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('kill-child.ts', import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    banner: { js: banner },
    minify: true,
    logLevel: 'error',
  })
  const load = async (): Promise<ChildProcess> => {
    // The SDK's reminder about Node 20, from each of them, would bury everything else.
    const env = { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' }
    const child = fork(outfile, [JSON.stringify(work)], { env, execArgv: [], stdio: 'inherit' })
    await once(child, 'message')
    return child
  }
  let next = load()
  return {
    /** @returns how to end it, with a signal that no process can answer */
    async start(): Promise<() => Promise<void>> {
      const child = await next
      next = load()
      child.send('go')
      return async () => {
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }
    },
    async close(): Promise<void> {
      ;(await next).kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
