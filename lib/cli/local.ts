import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineCommand } from 'citty'
import type { Outcome } from '../core/release.ts'
import { DataFolderError } from '../local/aws/state-file.ts'
import { type LocalMode, startLocalMode } from '../local/local-mode.ts'
import { isClean, type Report } from '../local/report.ts'
import { startStatusPage } from '../local/status-page.ts'
import { statusTable } from '../local/status-table.ts'
import { numberOption, portOption, UsageError } from './arguments.ts'
import { aborted, stopSignal } from './stop-signal.ts'

// The longest that a timer waits (2^31 - 1 ms, 24 days); a longer one would end at once.
const longestSeconds = 2_147_483

/** Local mode: the whole rotator on loopback, without an AWS account. */
export const local = defineCommand({
  meta: {
    name: 'local',
    description: 'the whole rotator on loopback, with simulated vendors and a reader beside each',
  },
  args: {
    duration: {
      type: 'string',
      valueHint: 's',
      description: 'seconds to run; until Ctrl-C if left out',
    },
    speed: {
      type: 'string',
      default: '60',
      valueHint: 'n',
      description: 'divides lifetimes and the minute between two ticks',
    },
    report: {
      type: 'string',
      valueHint: 'file',
      description: 'where to write the counts, as JSON',
    },
    port: {
      type: 'string',
      default: '4566',
      valueHint: 'n',
      description: 'port of the AWS endpoint; 0: a free one',
    },
    data: {
      type: 'string',
      valueHint: 'dir',
      description: 'folder to keep the endpoint’s state in',
    },
  },
  async run({ args }) {
    const port = portOption('port', args.port)
    const speed = numberOption('speed', args.speed, { min: 1, max: 600 })
    const duration =
      args.duration === undefined
        ? undefined
        : numberOption('duration', args.duration, { min: 1, max: longestSeconds })
    if (args.report !== undefined) await writeReport(args.report, '')
    const interrupted = stopSignal()
    const screen = process.stdout.isTTY === true ? liveScreen() : plainScreen()
    const mode = await start({
      port,
      speed,
      onOutcome: screen.outcome,
      ...(args.data === undefined ? {} : { dataDir: args.data }),
    })
    const page = await startStatusPage(mode.status)
    process.stdout.write(introduction(mode, page.url, speed, port))
    // By hand: in Node 20 a signal made by AbortSignal.any may be collected before it is aborted.
    const ending = new AbortController()
    interrupted.addEventListener('abort', () => ending.abort())
    if (interrupted.aborted) ending.abort()
    const timer =
      duration === undefined ? undefined : setTimeout(() => ending.abort(), duration * 1000)
    const over = ending.signal
    const drawing = screen.run(mode, over)
    await aborted(over)
    clearTimeout(timer)
    await drawing
    await page.close()
    const report = await mode.stop()
    if (args.report !== undefined)
      await writeReport(args.report, `${JSON.stringify(report, null, 2)}\n`)
    process.stdout.write(summary(report))
    return isClean(report) ? 0 : 1
  },
})

async function start(options: Parameters<typeof startLocalMode>[0]): Promise<LocalMode> {
  try {
    return await startLocalMode(options)
  } catch (error) {
    if (!(error instanceof DataFolderError)) throw error
    throw new UsageError(`--data: ${error.message}; allowed is a folder of one's own`)
  }
}

async function writeReport(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch {
    throw new UsageError(
      `--report '${path}': cannot be written; allowed is a file in an existing folder`,
    )
  }
}

/** Outcomes that come at every tick of a connection that is well. */
const quiet = new Set<Outcome['outcome']>(['unchanged', 'kept-alive', 'lease-held'])

function introduction({ url }: LocalMode, pageUrl: string, speed: number, port: number): string {
  const taken = port !== 0 && !url.endsWith(`:${port}`) ? ` (port ${port} is taken)` : ''
  return `token-rotator, local mode: AWS endpoint at ${url}${taken}
status page at ${pageUrl}
One minute passes in ${Number((60 / speed).toPrecision(3))} s. Look for yourself:

  aws --endpoint-url ${url} --region us-east-1 --no-sign-request secretsmanager get-secret-value --secret-id token-rotator/mdr-demo/access-token

`
}

/** A table that is drawn anew, for a terminal. */
function liveScreen() {
  return {
    outcome: (_outcome: Outcome) => {},
    async run(mode: LocalMode, stopping: AbortSignal) {
      let height = 0
      while (!stopping.aborted) {
        const table = statusTable(await mode.status())
        process.stdout.write(`${height === 0 ? '' : `\u001b[${height}A\u001b[J`}${table}`)
        height = table.split('\n').length - 1
        await sleep(500, undefined, { signal: stopping }).catch(() => undefined)
      }
    },
  }
}

/** A line per outcome, for a file or a pipe. */
function plainScreen() {
  return {
    outcome: ({ connection, outcome, cause, message, error }: Outcome) => {
      if (quiet.has(outcome)) return
      const told = message ?? error?.message
      process.stdout.write(
        `${connection}: ${outcome}${cause === undefined ? '' : ` (${cause})`}${told === undefined ? '' : `, ${told}`}\n`,
      )
    },
    async run(_mode: LocalMode, _stopping: AbortSignal) {},
  }
}

function summary(report: Report): string {
  const rows = report.connections.map(
    ({ connection, rotations, state }) => `  ${connection}: ${rotations} rotations, ${state}\n`,
  )
  return `\n${rows.join('')}${report.rotations} rotations in ${report.durationSeconds} s: ${report.spends} refresh tokens spent, ${report.doubleSpends} spent twice, ${report.lostPairs} pairs lost; ${report.reads} reads, ${report.deadReads} of a dead token
`
}
