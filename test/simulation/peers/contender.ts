import type { Connection } from '../../../lib/core/connection.ts'
import type { Ports } from '../../../lib/core/run.ts'
import type { Vendor } from '../../../lib/core/vendor.ts'
import type { SimulatedCloud } from '../cloud.ts'
import type { Instant, Timeline } from '../timeline.ts'
import type { WatchedProcess } from './watched-process.ts'

/** Where a contender keeps one connection alive. */
export interface Site {
  readonly timeline: Timeline
  readonly cloud: SimulatedCloud
  readonly connection: Connection
  readonly vendor: Vendor
  /** Made-up ids, each another one. */
  readonly newId: () => string
}

/** What one invocation, or one command of a person, works with. */
export interface Hands {
  readonly process: WatchedProcess
  readonly ports: Ports
}

/** One way to keep a token fresh, at work for one connection. */
export interface Contender {
  /** One scheduled invocation; whatever it throws, the next one tries again. */
  readonly tick: (hands: Hands) => Promise<void>
  /** A person's command. @returns whether it is done; if not, it is given again */
  readonly enroll: (fields: Readonly<Record<string, unknown>>, hands: Hands) => Promise<boolean>
  /** From when on an invocation has something to do, by what is stored. */
  readonly dueAt: () => Instant
  /** The access token that readers are served. */
  readonly served: () => string | undefined
  /** All that its stores hold, as text. */
  readonly stored: () => readonly string[]
  /** Whether it has given up, and waits for a person. */
  readonly asks: () => boolean
}

export interface ContenderKind {
  /** For `--json`. */
  readonly id: string
  readonly title: string
  /** How often its AWS client tries one call. */
  readonly tries: number
  readonly settle: (site: Site) => Contender
}
