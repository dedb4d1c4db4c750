import { type ArgsDef, parseArgs } from 'citty'
import { choiceOption, numberOption, refuseUndeclared, UsageError } from '../lib/cli/arguments.ts'
import { vendors } from '../lib/vendors/index.ts'

const declared = {
  exhaustive: { type: 'boolean', default: false, description: 'every fault at every boundary' },
  sockets: { type: 'boolean', default: false, description: 'kill the functions under load' },
  compare: { type: 'boolean', default: false, description: 'beside models of how others do it' },
  mutants: { type: 'boolean', default: false, description: 'switch off one defence at a time' },
  seeds: { type: 'string', valueHint: 'n', description: 'how many worlds; default 1000' },
  seed: { type: 'string', valueHint: 's', description: 'the first world; alone: only that one' },
  hours: { type: 'string', valueHint: 'n', description: 'of trouble per world; default 12' },
  trace: { type: 'boolean', default: false, description: 'print what happens in the first world' },
  vendor: { type: 'string', valueHint: 'id', description: 'this vendor alone' },
  kills: { type: 'string', valueHint: 'n', description: 'how often; default 200' },
  json: { type: 'boolean', default: false, description: 'one line of JSON instead of a table' },
} as const satisfies ArgsDef
type Given = ReturnType<typeof parseArgs<typeof declared>>

/** What a mode can be told, and its work, which is loaded if it is chosen. */
interface Mode {
  readonly takes: readonly (keyof typeof declared)[]
  readonly run: (given: Given) => Promise<number>
}

/** Chosen by their flags. Each gives the exit status: 1 if something was lost. */
const modes: Readonly<Record<'exhaustive' | 'sockets' | 'compare' | 'mutants', Mode>> = {
  exhaustive: {
    takes: ['vendor'],
    async run({ vendor, json }) {
      const { exhaustiveCommand } = await import('../test/simulation/exhaustive-command.ts')
      return exhaustiveCommand({ ...only(vendor), json })
    },
  },
  sockets: {
    takes: ['kills', 'seed'],
    async run({ kills = '200', seed = '1', json }) {
      const often = numberOption('kills', kills, { min: 1, max: 100_000, whole: true })
      const { killCommand } = await import('../test/sockets/kill-command.ts')
      return killCommand({ kills: often, seed, json })
    },
  },
  compare: {
    takes: ['seeds', 'seed'],
    async run({ seeds = '1000', seed = '1', json }) {
      const worlds = numberOption('seeds', seeds, { min: 1, max: 1_000_000, whole: true })
      const firstSeed = numberOption('seed', seed, { min: 0, max: 2 ** 31 - 1, whole: true })
      const { compareCommand } = await import('../test/simulation/compare-command.ts')
      return compareCommand({ firstSeed, seeds: worlds, json })
    },
  },
  mutants: {
    takes: ['seeds'],
    async run({ seeds = '10000', json }) {
      const most = numberOption('seeds', seeds, { min: 1, max: 2 ** 32, whole: true })
      const { mutantsCommand } = await import('../test/simulation/mutants-command.ts')
      return mutantsCommand({ seeds: most, json })
    },
  },
}

/** Without a flag: worlds of trouble, each from its seed. */
const simulation: Mode = {
  takes: ['seeds', 'seed', 'hours', 'trace', 'vendor'],
  async run({ seed, seeds = seed === undefined ? '1000' : '1', hours = '12', vendor, ...given }) {
    const whole = (name: string, text: string, min: number, max: number) =>
      numberOption(name, text, { min, max, whole: true })
    const first = whole('seed', seed ?? '0', 0, 2 ** 32 - 1)
    const options = {
      seed: first,
      // There are no more worlds than these.
      seeds: whole('seeds', seeds, 1, 2 ** 32 - first),
      hours: whole('hours', hours, 1, 8760),
    }
    const { campaignCommand } = await import('../test/simulation/campaign-command.ts')
    return campaignCommand({ ...options, ...only(vendor), trace: given.trace, json: given.json })
  },
}

// `npm run torture`: plays the shipped engine through more trouble than it will ever meet, and counts
// what is lost. Status 1: something was. README, "Development", tells the modes apart.
try {
  process.exitCode = await torture(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`torture: ${error.message}\n`)
  process.exitCode = 2
}

async function torture(rawArgs: string[]): Promise<number> {
  refuseUndeclared(rawArgs, declared)
  const given = parseArgs<typeof declared>(rawArgs, declared)
  const chosen = Object.entries(modes).filter(([flag]) => given[flag as keyof typeof modes])
  if (chosen.length > 1) {
    const flags = chosen.map(([flag]) => `--${flag}`).join(' and ')
    throw new UsageError(`${flags} are two modes; allowed is one of them`)
  }
  const [flag, mode] = chosen[0] ?? ['', simulation]
  const allowed = new Set<string>([flag, ...mode.takes, 'json'])
  for (const [name, { default: absent }] of Object.entries<ArgsDef[string]>(declared)) {
    if (allowed.has(name) || given[name as keyof typeof given] === absent) continue
    const known = [...allowed].filter((one) => one !== '').map((one) => `--${one}`)
    throw new UsageError(`--${name} means nothing here; allowed: ${known.join(', ')}`)
  }
  return mode.run(given)
}

function only(vendor: string | undefined): { vendor?: string } {
  if (vendor === undefined) return {}
  return { vendor: choiceOption('--vendor', vendor, Object.keys(vendors)) }
}
