import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'

/**
 * `npm test`: lint, types and tests. Every one of them counts, and the last line says how many passed
 * and failed, so that a person and a program read the same. In CI a skipped test is a failed one.
 */
const folder = await mkdtemp(join(tmpdir(), 'token-rotator-test-'))
const resultsFile = join(folder, 'results.json')
const counts = { passed: 0, failed: 0, skipped: 0 }
try {
  for (const check of [['biome', 'check', '--error-on-warnings', '.'], ['tsc']]) {
    counts[(await run(check)) === 0 ? 'passed' : 'failed'] += 1
  }
  const patterns = process.argv.slice(2)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${resultsFile}`]
  const status = await run(['vitest', 'run', ...reporters, ...patterns])
  const results = await readResults()
  counts.passed += results.numPassedTests
  counts.failed += results.numFailedTests
  counts.skipped += results.numPendingTests + results.numTodoTests
  // A file that does not load, or an error outside any test, fails no test but fails the run.
  if (status !== 0 && results.numFailedTests === 0) counts.failed += 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
if (process.env.CI === 'true') {
  counts.failed += counts.skipped
  counts.skipped = 0
}
const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`
console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`)
process.exitCode = counts.failed === 0 ? 0 : 1

async function run([tool = '', ...args]: string[]): Promise<number> {
  const child = spawn(join('node_modules', '.bin', tool), args, { stdio: 'inherit' })
  const [status] = await once(child, 'exit')
  return typeof status === 'number' ? status : 1
}

async function readResults() {
  const Results = v.object({
    numPassedTests: v.number(),
    numFailedTests: v.number(),
    numPendingTests: v.number(),
    numTodoTests: v.number(),
  })
  try {
    return v.parse(Results, JSON.parse(await readFile(resultsFile, 'utf8')))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 }
  }
}
