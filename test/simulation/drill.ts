import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import type { Chance } from './chance.ts'
import type { Region, ReplicaSecret } from './replica.ts'
import type { Instant, Timeline } from './timeline.ts'

const minuteMs = 60_000

/** What is the matter with the regions of a world. */
export interface Condition {
  home: Region
  /** The regions do not see each other. */
  isCut: boolean
  /** The first region runs nothing. */
  isDown: boolean
}

/** What a drill is played with. */
export interface Stage {
  readonly condition: Condition
  readonly first: Region
  readonly second: Region
  readonly timeline: Timeline
  readonly connections: readonly string[]
  readonly note: (who: string, what: string) => void
  /** Gives the command until it is done. */
  readonly takeOver: (region: Region, connection: string) => Promise<void>
  /** The region at work is about to become another one. */
  readonly moved: () => void
}

/**
 * People fail over to the second region and, mostly, back again: for rest, because the first one is gone
 * or because the two do not see each other; and it comes back before, while or after they do so.
 */
export function planDrill(chance: Chance, from: Instant, to: Instant, stage: Stage): void {
  const { condition, first, second, timeline, connections, note } = stage
  const span = to - from
  const at = (instant: Instant, what: string, happen: () => void) => {
    if (instant >= to) return
    timeline.at(instant, () => {
      note('a person', what)
      happen()
    })
  }
  const kind = chance.one(['planned', 'cut', 'down', 'down'] as const)
  const begins = from + chance.between(0.1, 0.5) * span
  const ends = Math.min(begins + chance.between(5, 150) * minuteMs, to - minuteMs)
  const overAt = begins + chance.between(-2, 40) * minuteMs
  const replicas = () =>
    connections.flatMap((id) =>
      [enrollmentSecretId(id), consumerSecretId(id)].map(
        (secretId) => second.cloud.secret(secretId) as ReplicaSecret,
      ),
    )
  const change = (region: Region) =>
    Promise.all(connections.map((id) => stage.takeOver(region, id))).then(() => {
      stage.moved()
      condition.home = region
    })

  if (kind !== 'planned') {
    at(
      begins,
      `the regions are cut off from each other${kind === 'down' ? ', the first is down' : ''}`,
      () => {
        condition.isCut = true
        condition.isDown = kind === 'down'
      },
    )
    at(ends, 'the regions see each other again', () => {
      condition.isCut = false
      condition.isDown = false
    })
  }
  at(overAt, 'promotes the replicas and takes over', () => {
    for (const replica of replicas()) replica.stopReplication(timeline.now())
    void change(second)
  })
  if (chance.happens(0.3)) return
  const backAt = Math.max(ends, overAt) + chance.between(20, 200) * minuteMs
  at(backAt, 'fails back', () => void change(first).then(() => replicateAgain(10)))

  /** Once the first region has all that there is. */
  function replicateAgain(patience: number) {
    timeline.at(timeline.now() + 3 * minuteMs, () => {
      const isSettled = connections.every((id) => {
        const item = first.cloud.items.get(id)
        return item?.takingOver === undefined && item?.published?.versionId === item?.versionId
      })
      if (!isSettled && patience > 0) return replicateAgain(patience - 1)
      if (!isSettled || condition.home !== first) return
      note('a person', 'makes replicas again')
      for (const replica of replicas()) replica.replicate()
    })
  }
}
