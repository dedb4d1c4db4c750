import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

/** Runs the command line as an operator does, with `input` piped in. */
export async function command(
  args: readonly string[],
  { input = '', env = process.env }: { input?: string; env?: NodeJS.ProcessEnv } = {},
) {
  const words = ['--import', 'tsx', 'bin/token-rotator.ts', ...args]
  const child = spawn(process.execPath, words, { stdio: 'pipe', env })
  child.stdin.end(input)
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { stdout, stderr, status: await ended }
}
