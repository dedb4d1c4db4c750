import { defineConfig } from 'vitest/config'

/**
 * The tests by which `npm run mutation` judges the engine: those of the engine alone, which take
 * milliseconds each. Left out are whole days of simulation, sockets and synthesis; what only they
 * can tell apart counts as not tested.
 */
export default defineConfig({
  test: {
    include: ['test/core/**/*.test.ts'],
    exclude: ['test/core/store.test.ts', 'test/core/rotate.crash.test.ts'],
    // Nothing in the engine outlives a test, so files may share their modules: half the time.
    isolate: false,
    testTimeout: 60_000,
  },
})
