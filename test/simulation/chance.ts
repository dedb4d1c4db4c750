import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** The choices of one simulated world, all of them from one seed. */
export interface Chance {
  /** From 0 up to 1, without 1. */
  readonly fraction: () => number
  readonly happens: (probability: number) => boolean
  readonly between: (least: number, most: number) => number
  /** A whole number from 0 up to `count`, without `count`. */
  readonly below: (count: number) => number
  readonly one: <T>(from: readonly T[]) => T
  /** Choices of their own: drawing from them, or not, changes nothing here. */
  readonly apart: (name: number) => Chance
}

export function chanceOf(seed: number): Chance {
  const generator = xoroshiro128plus(scattered(seed))
  const fraction = () => (generator.next() >>> 0) / 2 ** 32
  const below = (count: number) => Math.floor(fraction() * count)
  return {
    fraction,
    happens: (probability) => probability > 0 && fraction() < probability,
    between: (least, most) => least + fraction() * (most - least),
    below,
    one: <T>(from: readonly T[]) => from[below(from.length)] as T,
    apart: (name) => chanceOf(scattered(seed) ^ scattered(name + 1)),
  }
}

/** Neighbouring seeds are to give worlds that have nothing in common. */
function scattered(seed: number): number {
  let bits = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b)
  bits = Math.imul(bits ^ (bits >>> 16), 0x45d9f3b)
  return bits ^ (bits >>> 16)
}
