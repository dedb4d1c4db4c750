import type { ContenderKind } from './peers/contender.ts'
import { grantThenPending } from './peers/grant-then-pending.ts'
import { type Figures, figureNames, noFigures } from './peers/judge.ts'
import { lastWriteWins } from './peers/last-write-wins.ts'
import { ours } from './peers/ours.ts'
import { rowLock } from './peers/row-lock.ts'
import { shortLease } from './peers/short-lease.ts'
import { unownedLock } from './peers/unowned-lock.ts'
import { play, type WorldOptions } from './peers/world.ts'
import { writeAhead } from './peers/write-ahead.ts'

/** The shipped engine, and six models of how others do it. */
export const contenders: readonly ContenderKind[] = [
  ours,
  lastWriteWins,
  shortLease,
  unownedLock,
  rowLock,
  grantThenPending,
  writeAhead,
]

/** What each contender came to, by its id. */
export type Comparison = Readonly<Record<string, Figures & { readonly digest: number }>>

/** Plays every contender in the worlds of `seeds` neighbouring seeds. */
export async function compare(
  firstSeed: number,
  seeds: number,
  options: WorldOptions & { readonly onSeed?: (played: number) => void } = {},
): Promise<Comparison> {
  const sums = new Map(contenders.map(({ id }) => [id, { ...noFigures(), digest: 0 }]))
  const { stackTraceLimit } = Error
  // Failures are played by the thousand, and nobody looks where they were made.
  Error.stackTraceLimit = 0
  try {
    for (let played = 0; played < seeds; played++) {
      for (const kind of contenders) {
        const result = await play(firstSeed + played, kind, options)
        const sum = sums.get(kind.id)
        if (sum === undefined) continue
        for (const name of figureNames) sum[name] += result[name]
        sum.digest = Math.imul(sum.digest ^ result.digest, 0x01000193)
      }
      options.onSeed?.(played + 1)
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  return Object.fromEntries(sums)
}
