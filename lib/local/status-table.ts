import type { Status } from './status.ts'

const columns: readonly { readonly title: string; readonly value: (status: Status) => string }[] = [
  { title: 'connection', value: ({ connection }) => connection },
  { title: 'vendor', value: ({ vendor }) => vendor },
  { title: 'state', value: ({ state }) => state },
  {
    title: 'time left',
    value: ({ secondsLeft }) =>
      secondsLeft === undefined ? '–' : `${Math.max(0, secondsLeft).toFixed(0)} s`,
  },
  { title: 'rotations', value: ({ rotations }) => String(rotations) },
  { title: 'reads', value: ({ reads }) => String(reads) },
  { title: 'dead reads', value: ({ deadReads }) => String(deadReads) },
]

/** Titles and rows as text, in the order they are shown. */
export function statusRows(statuses: readonly Status[]): string[][] {
  return [
    columns.map(({ title }) => title),
    ...statuses.map((status) => columns.map(({ value }) => value(status))),
  ]
}

/** A table for a terminal, a line each, ended by a line feed. */
export function statusTable(statuses: readonly Status[]): string {
  const rows = statusRows(statuses)
  const widths = columns.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
