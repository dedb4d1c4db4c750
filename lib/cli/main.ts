import { stripVTControlCharacters } from 'node:util'
import { type ArgsDef, type CommandDef, renderUsage, runCommand } from 'citty'
import { refuseUndeclared, UsageError } from './arguments.ts'

type Load = () => Promise<CommandDef>

/** Every command and the module it lives in; a command is loaded only when it is asked for. */
const commands: Readonly<Record<string, Load>> = {
  local: row(async () => (await import('./local.ts')).local),
  'local-aws': row(async () => (await import('./local-aws.ts')).localAws),
  simulate: row(async () => (await import('./simulate.ts')).simulate),
  enroll: row(async () => (await import('./enroll.ts')).enrollCommand),
  rotate: row(async () => (await import('./rotate.ts')).rotateCommand),
  'take-over': row(async () => (await import('./take-over.ts')).takeOverCommand),
  status: row(async () => (await import('./status.ts')).statusCommand),
}

/**
 * Runs one command.
 *
 * @param argv the words after the program's name
 * @returns the exit status: 0 done, 1 the command failed, 2 bad input (one line on stderr)
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  const load = name === undefined ? undefined : commands[name]
  try {
    if (name === '--help' || name === '-h') return await usage()
    if (load === undefined) {
      throw new UsageError(
        `${name === undefined ? 'no command given' : `unknown command '${name}'`}; allowed: ${Object.keys(commands).join(', ')}`,
      )
    }
    const command = await load()
    if (rest.includes('--help') || rest.includes('-h')) {
      const help = await renderUsage(command, { meta: { name: 'token-rotator' } })
      // citty colours it wherever it goes.
      process.stdout.write(`${process.stdout.isTTY ? help : stripVTControlCharacters(help)}\n`)
      return 0
    }
    refuseUndeclared(rest, (command.args ?? {}) as Parameters<typeof refuseUndeclared>[1])
    const { result } = await runCommand(command, { rawArgs: rest })
    return typeof result === 'number' ? result : 0
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`token-rotator: ${error.message}\n`)
      return 2
    }
    throw error
  }
}

/** citty types a command by its own arguments; a table of commands needs one type for them all. */
function row<const T extends ArgsDef>(load: () => Promise<CommandDef<T>>): Load {
  return load as unknown as Load
}

async function usage(): Promise<number> {
  const lines = await Promise.all(
    Object.entries(commands).map(async ([name, load]) => {
      const meta = (await load()).meta as { description?: string } | undefined
      return `  ${name.padEnd(12)} ${meta?.description ?? ''}`
    }),
  )
  process.stdout.write(
    `token-rotator <command> [options]\n\n${lines.join('\n')}\n\ntoken-rotator <command> --help tells the options of one.\n`,
  )
  return 0
}
