import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

const installed = resolve('test/runtime/node_modules/node-24/bin/node')

/**
 * A Node of the functions' major version: the one that runs this, if it is one, else the one that the
 * registry has for Linux on x64.
 *
 * @returns its path; `undefined` where there is none
 */
export const runtimeNode: string | undefined = process.version.startsWith('v24.')
  ? process.execPath
  : existsSync(installed)
    ? installed
    : undefined

/** What to say where there is none. */
export const withoutRuntimeNode =
  'SKIPPED: nothing has run the built functions on Node 24. It comes with npm ci on Linux x64 only; elsewhere run the tests with Node 24 itself.\n'
