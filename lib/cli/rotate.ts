import { defineCommand } from 'citty'
import { requestRotation } from '../core/enroll.ts'
import { connectionArguments, operate } from './operator.ts'

/** Asks for a renewal although none is due. The function does it: only that reaches the vendor. */
export const rotateCommand = defineCommand({
  meta: { name: 'rotate', description: 'has the next tick renew a connection, due or not' },
  args: connectionArguments,
  run: ({ args }) =>
    operate(args, async ({ ports, run }) => {
      const result = await requestRotation(run(args.connection), ports)
      const said = {
        requested: `requested; the next tick, within a minute, rotates ${args.connection}`,
        'lease-held': `a run is at work on ${args.connection}; try again in a minute`,
        unknown: `the ledger has no ${args.connection} yet; the first tick after deployment puts it there`,
      }[result]
      const isDone = result === 'requested'
      ;(isDone ? process.stdout : process.stderr).write(
        `${isDone ? '' : 'token-rotator: '}${said}\n`,
      )
      return isDone ? 0 : 1
    }),
})
