import type { CommandDef } from 'citty'
import { defaultPort, startAwsEndpoint } from '../local/aws/endpoint.ts'
import { DataFolderError } from '../local/aws/state-file.ts'
import { portOption, UsageError } from './arguments.ts'
import { untilStopped } from './stop-signal.ts'

/** `local-aws`: runs the embedded AWS endpoint until SIGTERM or SIGINT. */
export const localAws: CommandDef = {
  meta: {
    name: 'local-aws',
    description: 'Secrets Manager, Parameter Store, EventBridge and DynamoDB on loopback',
  },
  args: {
    port: {
      type: 'string',
      valueHint: 'n',
      default: String(defaultPort),
      description: 'TCP port on 127.0.0.1; another free one if it is taken, any free one for 0',
    },
    data: {
      type: 'string',
      valueHint: 'dir',
      description: 'folder to keep state in, secrets in clear; memory only without it',
    },
  },
  async run({ args }) {
    const port = portOption('port', String(args.port))
    const data = args.data === undefined ? undefined : String(args.data)
    if (data === '') throw new UsageError("--data '': allowed is the path of a folder")
    // Whatever is written to the folder, by LevelDB too, is for its owner only.
    process.umask(0o077)
    const stopped = untilStopped()
    const endpoint = await start(port, data)
    process.stdout.write(`${JSON.stringify({ url: endpoint.url })}\n`)
    if (port !== 0 && endpoint.port !== port) {
      process.stderr.write(`token-rotator: port ${port} is taken, using ${endpoint.port}\n`)
    }
    await stopped
    await endpoint.close()
    return 0
  },
}

async function start(port: number, dataDir: string | undefined) {
  try {
    return await startAwsEndpoint({ port, ...(dataDir === undefined ? {} : { dataDir }) })
  } catch (error) {
    if (error instanceof DataFolderError) {
      throw new UsageError(`--data: ${error.message}; allowed is a folder of one's own`)
    }
    if (error instanceof Error && 'syscall' in error && error.syscall === 'listen') {
      throw new UsageError(`--port '${port}': not permitted; allowed is 0 or 1024 to 65535`)
    }
    throw error
  }
}
