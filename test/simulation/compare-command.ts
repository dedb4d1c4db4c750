import { type Comparison, compare, contenders } from './compare.ts'
import { type Figures, figureNames } from './peers/judge.ts'

const headings: Readonly<Record<keyof Figures, string>> = {
  rotations: 'rotations',
  losses: 'losses',
  lostPairs: 'pair lost',
  givenUpAlive: 'given up',
  answersLost: 'no answer',
  doubleSpends: 'double spends',
  staleReads: 'stale reads',
  staleUnasked: 'unasked',
}

/**
 * `npm run torture -- --compare`: plays, judges and prints, per million rotations.
 *
 * @returns the exit status: 1 if the shipped engine spent a token twice or lost a pair that it had
 */
export async function compareCommand(options: {
  readonly firstSeed: number
  readonly seeds: number
  readonly json: boolean
}): Promise<number> {
  const { firstSeed, seeds, json } = options
  const start = performance.now()
  const comparison = await compare(firstSeed, seeds, {
    onSeed(played) {
      // A terminal is told that something goes on; a file need not know.
      if (process.stderr.isTTY) process.stderr.write(`\r${played} of ${seeds} seeds`)
    },
  })
  const seconds = Math.round((performance.now() - start) / 100) / 10
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  const text = json
    ? JSON.stringify({ firstSeed, seeds, perMillion: perMillion(comparison), comparison, seconds })
    : `${table(comparison)}\n${seeds} seeds from ${firstSeed}, ${seconds} s; all but rotations per million rotations`
  process.stdout.write(`${text}\n`)
  const { doubleSpends = 0, lostPairs = 0 } = comparison.ours ?? {}
  return doubleSpends === 0 && lostPairs === 0 ? 0 : 1
}

/** Everything but the rotations themselves, by the million of them. */
export function perMillion(comparison: Comparison): Record<string, Figures> {
  return Object.fromEntries(
    Object.entries(comparison).map(([id, figures]) => {
      const { rotations } = figures
      const rate = (count: number) => (rotations === 0 ? 0 : Math.round((count / rotations) * 1e6))
      const rates = figureNames.map((name) => [
        name,
        name === 'rotations' ? rotations : rate(figures[name]),
      ])
      return [id, Object.fromEntries(rates)]
    }),
  )
}

function table(comparison: Comparison): string {
  const rates = perMillion(comparison)
  const titleWidth = Math.max(...contenders.map(({ title }) => title.length))
  const widths = figureNames.map((name) => Math.max(headings[name].length, 9) + 2)
  const row = (title: string, cells: readonly (string | number)[]) =>
    title.padEnd(titleWidth) +
    cells.map((cell, index) => String(cell).padStart(widths[index] ?? 0)).join('')
  return [
    row(
      '',
      figureNames.map((name) => headings[name]),
    ),
    ...contenders.map(({ id, title }) =>
      row(
        title,
        figureNames.map((name) => rates[id]?.[name] ?? 0),
      ),
    ),
  ].join('\n')
}
