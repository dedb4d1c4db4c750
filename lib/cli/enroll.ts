import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { defineCommand } from 'citty'
import * as v from 'valibot'
import { enroll } from '../core/enroll.ts'
import { UsageError } from './arguments.ts'
import { connectionArguments, operate } from './operator.ts'
import { askHidden } from './prompt.ts'

/** Stores a first or a new credential. It is typed or piped in, never an argument: those are listed by `ps`. */
export const enrollCommand = defineCommand({
  meta: {
    name: 'enroll',
    description: 'stores a credential: asks for its fields, or reads them as JSON from a pipe',
  },
  args: connectionArguments,
  run: ({ args }) =>
    operate(args, async ({ ports, run }) => {
      const target = run(args.connection)
      const fields =
        process.stdin.isTTY === true
          ? await ask(target.vendor.credentialFields)
          : parse(await text(process.stdin), target.vendor.credentialFields)
      // Asking may have taken longer than a run lasts.
      const result = await enroll(run(args.connection), fields, randomUUID(), ports)
      if (result === 'lease-held') {
        process.stderr.write(
          'token-rotator: a run is at work on this connection; try again in a minute\n',
        )
        return 1
      }
      process.stdout.write(
        `enrolled ${args.connection}; the next tick, within a minute, rotates it\n`,
      )
      return 0
    }),
})

async function ask(names: readonly string[]): Promise<Record<string, string>> {
  const fields: Record<string, string> = {}
  for (const name of names) {
    const value = await askHidden(`${name} (not shown; Enter to leave out): `)
    if (value !== '') fields[name] = value
  }
  return fields
}

function parse(input: string, allowed: readonly string[]): Record<string, unknown> {
  const parsed = v.safeParse(
    v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.unknown())),
    input,
  )
  if (parsed.success) return parsed.output
  throw new UsageError(
    `standard input: allowed is a JSON object with the fields ${allowed.join(', ')}`,
  )
}
