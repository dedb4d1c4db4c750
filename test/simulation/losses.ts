/** What must not happen; each is to be 0. */
export const lossNames = [
  'doubleSpends',
  'lostPairs',
  'staleReads',
  'falseDead',
  'duplicatePages',
  'unrecovered',
  'leaks',
  'lostEdits',
] as const
export type Loss = (typeof lossNames)[number]
