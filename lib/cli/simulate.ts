import { defineCommand } from 'citty'
import { simulators } from '../local/simulators/index.ts'
import { choiceOption, numberOption, portOption, UsageError } from './arguments.ts'
import { untilStopped } from './stop-signal.ts'

const vendors = Object.keys(simulators) as (keyof typeof simulators)[]
const MAX_SPEED = 1_000_000

/**
 * `token-rotator simulate <vendor>`: a vendor on loopback. The first line on stdout is one JSON
 * object: `url`, `credential` (what a console would hand out, and the one place where a token is
 * printed) and, over TLS, `ca`, the PEM that verifies it. It runs until SIGINT or SIGTERM.
 */
export const simulate = defineCommand({
  meta: { name: 'simulate', description: 'plays a vendor on loopback' },
  args: {
    vendor: { type: 'positional', required: true, description: `one of ${vendors.join(', ')}` },
    port: { type: 'string', default: '0', valueHint: 'n', description: 'TCP port; 0: a free one' },
    plain: { type: 'boolean', default: false, description: 'HTTP instead of HTTPS' },
    speed: {
      type: 'string',
      default: '1',
      valueHint: 'n',
      description: 'divides every lifetime; 60 makes an hour a minute',
    },
    fault: { type: 'string', valueHint: 'name', description: 'a fault to show at each call' },
  },
  async run({ args }) {
    const { faults, start } = simulators[choiceOption('vendor', args.vendor, vendors)]
    const port = portOption('port', args.port)
    const speed = numberOption('speed', args.speed, { min: 0.01, max: MAX_SPEED })
    const fault =
      args.fault === undefined
        ? undefined
        : choiceOption('--fault', args.fault, Object.keys(faults))
    // Before the line is out: whoever reads it may stop the simulator at once.
    const stopped = untilStopped()
    const options = { port, plain: args.plain, speed, ...(fault !== undefined && { fault }) }
    const simulator = await start(options).catch((error: NodeJS.ErrnoException) => {
      if (error.syscall !== 'listen') throw error
      throw new UsageError(
        `--port '${port}' is not free (${error.code}): allowed is a free one, or 0`,
      )
    })
    const { url, credential, ca } = simulator
    process.stdout.write(`${JSON.stringify({ url, credential, ca })}\n`)
    await stopped
    await simulator.close()
    return 0
  },
})
