import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { defineCommand } from 'citty'
import { takeOver } from '../core/take-over.ts'
import { UsageError } from './arguments.ts'
import { connectionArguments, operate } from './operator.ts'

/** Makes the region of the command the one at work. It writes the ledger alone; the function does the rest. */
export const takeOverCommand = defineCommand({
  meta: { name: 'take-over', description: 'makes this region the one that rotates a connection' },
  args: connectionArguments,
  run: ({ args }) =>
    operate(args, async ({ ports, run }) => {
      const own = await ownRegion()
      const regions = { own, first: own, peers: [] }
      const result = await takeOver(run(args.connection), { ...ports, regions })
      if (result === 'lease-held') {
        process.stderr.write(
          `token-rotator: a run is at work on ${args.connection}; try again in a minute\n`,
        )
        return 1
      }
      process.stdout.write(
        `${own} takes over ${args.connection}, epoch ${result.epoch}; the next tick, within a minute, settles what is held\n`,
      )
      return 0
    }),
})

async function ownRegion(): Promise<string> {
  const client = new DynamoDBClient({})
  try {
    return await client.config.region()
  } catch {
    throw new UsageError('no region is set; allowed is one in AWS_REGION or in the AWS profile')
  } finally {
    client.destroy()
  }
}
