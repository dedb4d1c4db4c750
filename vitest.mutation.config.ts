import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tests of one function, without a vendor or a store around it. */
const alone =
  /\/(announce|ask|begin\.(cases|unreached)|bring|cadence|clock|connection|decide\.cases|documents|documents\.cases|errors|incident|lease\.steps|ledger|ledger-document|persist|redacted|renewal|take-over|verify|words|version-id)\.test\.ts$/

/** Tests of whole runs, days and thousands of drawn situations. */
const long =
  /\/(rotate|keep-alive|unheld|introspection|decide|fakes|handed-back|[\w-]+\.(model|property))\.test\.ts$/

/** One failure is enough to judge a mutant, so what is quick is asked first. */
class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      alone.test(moduleId) ? 0 : long.test(moduleId) ? 2 : 1
    return files.toSorted(
      (one, other) => rank(one) - rank(other) || one.moduleId.localeCompare(other.moduleId),
    )
  }
}

/**
 * The tests by which `npm run mutation` judges the engine: those of the engine alone, which take
 * milliseconds each. Left out are the crash table, days of simulation, sockets and synthesis; what
 * only they can tell apart counts as not tested.
 */
export default defineConfig({
  test: {
    include: ['test/core/**/*.test.ts'],
    exclude: ['test/core/store.test.ts', 'test/core/rotate.crash.test.ts'],
    sequence: { sequencer: QuickFirst },
    // Nothing in the engine outlives a test, so files may share their modules: half the time.
    isolate: false,
    testTimeout: 60_000,
  },
})
