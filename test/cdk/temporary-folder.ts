import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder of its own, under the system's. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'token-rotator-test-'))
}
