import { parseArgs } from 'node:util'
import type { ArgsDef } from 'citty'

/** Bad input to a command: its message is the one line that the operator sees; exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/**
 * Refuses what the command does not declare. citty itself ignores unknown options and missing
 * values, and a mistyped `--sped 60` that silently means nothing is worse than an error.
 *
 * @throws {UsageError} unknown option, option without its value, surplus or missing argument
 */
export function refuseUndeclared(rawArgs: readonly string[], declared: ArgsDef): void {
  const positionals = Object.entries(declared).filter(([, arg]) => arg.type === 'positional')
  const options = Object.entries(declared).filter(([, arg]) => arg.type !== 'positional')
  const allowed = options.map(([name]) => `--${name}`).join(', ') || 'no options'
  let given: { values: Record<string, unknown>; positionals: string[] }
  try {
    given = parseArgs({
      args: [...rawArgs],
      allowPositionals: true,
      strict: true,
      options: Object.fromEntries(
        options.map(([name, arg]) => [
          name,
          { type: arg.type === 'boolean' ? ('boolean' as const) : ('string' as const) },
        ]),
      ),
    })
  } catch (error) {
    const found = (error as Error).message.split('. ')[0]?.replace(/\.?\n.*/s, '')
    throw new UsageError(`${found}; allowed: ${allowed}`)
  }
  if (given.positionals.length > positionals.length) {
    // Not repeated: behind `enroll <connection>` it is likely to be a credential.
    throw new UsageError(
      `unexpected argument at place ${positionals.length + 1}; allowed: ${positionals.map(([name]) => `<${name}>`).join(' ') || 'no arguments'}, ${allowed}`,
    )
  }
  const missing = positionals[given.positionals.length]
  if (missing !== undefined && missing[1].required !== false) {
    throw new UsageError(`missing argument <${missing[0]}>: ${missing[1].description ?? ''}`)
  }
}

/**
 * A number from the command line.
 *
 * @throws {UsageError} not a plain decimal number, or outside `min`–`max`
 */
export function numberOption(
  name: string,
  given: string,
  { min, max, whole = false }: { min: number; max: number; whole?: boolean },
): number {
  const value = /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN
  if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    throw new UsageError(
      `--${name} '${given}': allowed is a ${whole ? 'whole ' : ''}number from ${min} to ${max}`,
    )
  }
  return value
}

/** A TCP port; 0 takes a free one. @throws {UsageError} outside 0–65535 */
export function portOption(name: string, given: string): number {
  return numberOption(name, given, { min: 0, max: 65535, whole: true })
}

/** One of a fixed set of words. @throws {UsageError} any other word */
export function choiceOption<const T extends string>(
  name: string,
  given: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((word) => word === given)
  if (found === undefined) {
    throw new UsageError(`${name} '${given}': allowed are ${allowed.join(', ')}`)
  }
  return found
}
