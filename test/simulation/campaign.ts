import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Failure, RangeResult, SeedRange } from './range.ts'
import { merge, newTally, type Tally } from './tally.ts'
import { bundleThread } from './thread-bundle.ts'

export interface CampaignOptions extends SeedRange {
  /** Threads. Default: one for each core. */
  readonly workers?: number
  /** Told how many seeds are done, each time that some more are. */
  readonly onProgress?: ((done: number) => void) | undefined
}

/** What a campaign gave; but for the time it took, the same for the same seeds whatever the number of threads. */
export interface CampaignReport {
  readonly total: Tally
  /** By the name of the species, in alphabetical order. */
  readonly tallies: ReadonlyMap<string, Tally>
  /** In the order of the seeds. */
  readonly failures: readonly Failure[]
  /** Over the traces of all worlds, in the order of the seeds. */
  readonly digest: string
  /** Of the trace of the last seed, as it was played in the campaign. */
  readonly lastDigest: number
}

/** Plays many seeds on all cores. */
export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  const { from, count, vendor, hours, onProgress, workers = availableParallelism() } = options
  const size = Math.max(1, Math.min(50, Math.ceil(count / workers / 8)))
  const ranges: SeedRange[] = []
  for (let start = from; start < from + count; start += size) {
    const length = Math.min(size, from + count - start)
    ranges.push({ from: start, count: length, hours, ...(vendor === undefined ? {} : { vendor }) })
  }
  let done = 0
  const results = await spread(ranges, Math.min(workers, ranges.length), ({ digests }) => {
    done += digests.length
    onProgress?.(done)
  })
  return merged(results)
}

/** Gives every thread a range, and another as soon as it is through. */
async function spread(
  ranges: readonly SeedRange[],
  workers: number,
  onResult: (result: RangeResult) => void,
): Promise<RangeResult[]> {
  const results: RangeResult[] = []
  const left = ranges.values()
  const work = (worker: Worker) =>
    new Promise<void>((resolve, reject) => {
      const next = () => {
        const { value, done } = left.next()
        if (done) resolve()
        else worker.postMessage(value)
      }
      worker.on('message', (result: RangeResult) => {
        results.push(result)
        onResult(result)
        next()
      })
      worker.on('error', reject)
      worker.on('exit', (code) => reject(new Error(`a thread ended with status ${code}`)))
      next()
    })
  const { url, remove } = await bundleThread()
  // Nearly all that a world makes is garbage a moment later: with more room little of it is copied.
  const resourceLimits = { maxYoungGenerationSizeMb: 96 }
  const options = { execArgv: [], resourceLimits }
  const threads = Array.from({ length: workers }, () => new Worker(url, options))
  try {
    await Promise.all(threads.map(work))
  } finally {
    await Promise.all(threads.map((worker) => worker.terminate()))
    await remove()
  }
  return results
}

function merged(results: readonly RangeResult[]): CampaignReport {
  const total = newTally()
  const tallies = new Map<string, Tally>()
  const failures: Failure[] = []
  const hash = createHash('sha256')
  let lastDigest = 0
  for (const result of results.toSorted((one, other) => one.from - other.from)) {
    for (const [name, tally] of result.tallies) {
      const known = tallies.get(name) ?? newTally()
      tallies.set(name, known)
      merge(known, tally)
      merge(total, tally)
    }
    failures.push(...result.failures)
    hash.update(result.digests)
    lastDigest = result.digests.at(-1) ?? lastDigest
  }
  return {
    total,
    tallies: new Map([...tallies].toSorted(([one], [other]) => (one < other ? -1 : 1))),
    failures,
    digest: hash.digest('hex').slice(0, 16),
    lastDigest,
  }
}
