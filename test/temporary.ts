import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Everything temporary of a test run stands in one folder, which goes with the run: what tests make, and
 * what the tools make that they start.
 */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'token-rotator-test-'))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true })
}

/** A new folder, which is gone after the run. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), '_'))
}
