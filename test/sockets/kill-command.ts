import { killUnderLoad } from './kill.ts'

/**
 * `npm run torture -- --sockets`: kills, counts and prints.
 *
 * @returns the exit status: 1 if a token was spent twice, a pair lost, or a connection left behind
 */
export async function killCommand(options: {
  readonly kills: number
  readonly seed: string
  readonly json: boolean
}): Promise<number> {
  const { kills, seed, json } = options
  // The SDK's reminder about Node 20 is for those who upgrade it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const report = await killUnderLoad({
    kills,
    seed,
    onKill(done) {
      // A terminal is told that something goes on; a file need not know.
      if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${kills} kills`)
    },
  })
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else {
    const rows = Object.entries({ ...report, seed })
    const width = Math.max(...rows.map(([name]) => name.length))
    for (const [name, value] of rows) process.stdout.write(`${name.padEnd(width)}  ${value}\n`)
  }
  const { doubleSpends, lostPairs, unrecovered } = report
  return doubleSpends === 0 && lostPairs === 0 && unrecovered === 0 ? 0 : 1
}
