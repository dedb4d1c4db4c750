/** A list in parts of some length, of which the last may be shorter. */
export function chunks<T>(all: readonly T[], length: number): T[][] {
  const count = Math.ceil(all.length / length)
  return Array.from({ length: count }, (_, n) => all.slice(n * length, (n + 1) * length))
}
