import { StoreError } from '../../../lib/core/errors.ts'
import type { Fate } from '../fate.ts'
import { Process, type Surroundings } from '../process.ts'
import type { Service } from '../weather.ts'

// Before a client's next try.
const pauseSeconds = 0.1

/** A token pair that the vendor gave. */
export interface Pair {
  readonly refreshToken: string
  /** The refresh token that bought it; absent if a person got it at the console. */
  readonly parent?: string
  /** Whether a process that had it lived to hear of a store: from then on it could have been kept. */
  couldBeKept: boolean
}

/** A process of which is known what it has in hand. */
export class WatchedProcess extends Process {
  /** Its work is done, well or not. */
  isOver = false
  private readonly inHand: Pair[] = []
  private readonly tries: number

  /** @param tries of each call of a store, by its client */
  constructor(name: string, world: Surroundings, fate: Fate, tries: number) {
    super(name, world, fate)
    this.tries = tries
  }

  receives(pair: Pair) {
    this.inHand.push(pair)
  }

  override async store<R>(service: Service, name: string, effect: () => R): Promise<R> {
    for (let left = this.tries - 1; ; left--) {
      // A request that is late says nothing of what has come after it had left.
      const inHand = [...this.inHand]
      const heard = () => {
        for (const pair of inHand) pair.couldBeKept = true
      }
      try {
        const answer = await super.store(service, name, () => {
          heard()
          return effect()
        })
        heard()
        return answer
      } catch (error) {
        heard()
        if (left === 0 || !(error instanceof StoreError) || error.kind !== 'retry') throw error
        await this.clock.sleep(pauseSeconds)
      }
    }
  }
}
