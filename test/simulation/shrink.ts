import type { Loss } from './losses.ts'
import { type Simulated, type SimulationOptions, simulate } from './simulate.ts'

/** A failure made small: of all that went wrong in its world, what it takes. */
export interface Shrunk {
  /** To be spared, for `simulate`. */
  readonly spared: ReadonlySet<number>
  readonly result: Simulated
}

/**
 * Leaves out trouble, in halves and then one by one, as long as the same loss remains.
 *
 * @param tries simulations at most; default 600
 */
export async function shrink(
  seed: number,
  loss: Loss,
  options: SimulationOptions = {},
  tries = 600,
): Promise<Shrunk> {
  let best: Shrunk = { spared: new Set(), result: await simulate(seed, options) }
  let left = tries
  const attempt = async (without: readonly number[]) => {
    left--
    const spared = new Set([...best.spared, ...without])
    const result = await simulate(seed, { ...options, spared })
    if (result.losses[loss] === 0) return false
    best = { spared, result }
    return true
  }
  for (let size = Math.ceil(best.result.happened.length / 2); size >= 1 && left > 0; ) {
    let hasShrunk = false
    const numbers = best.result.happened.map(({ number }) => number)
    // The latest first: without them the earlier ones happen as before.
    for (let end = numbers.length; end > 0 && left > 0; end -= size) {
      if (await attempt(numbers.slice(Math.max(0, end - size), end))) hasShrunk = true
    }
    if (size === 1 && !hasShrunk) break
    size = size === 1 ? 1 : Math.floor(size / 2)
  }
  return best
}
