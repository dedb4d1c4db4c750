import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const all = mkdtempSync(join(tmpdir(), 'token-rotator-test-'))
afterAll(() => rmSync(all, { recursive: true }))

/** A new folder, which is gone after the test file. */
export function temporaryFolder(): string {
  return mkdtempSync(join(all, '_'))
}
