import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// What leaves nothing behind in a module or in the environment: these files share both, in half the time.
const shared = ['core', 'museum', 'vendors', 'cdk', 'local/aws', 'local/simulators'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
)
const exclude = ['**/node_modules/**']

export default defineConfig({
  test: {
    // The suite is meant for two cores; left to itself the runner keeps one of two idle.
    maxWorkers: 2,
    globalSetup: fileURLToPath(new URL('test/temporary.ts', import.meta.url)),
    // Tests that start commands of their own must not fail because the machine is busy.
    testTimeout: 60_000,
    // The SDK's reminder about Node 20 is for those who upgrade it, not for the reader of a test run.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    projects: [
      { extends: true, test: { name: 'shared', include: shared, exclude, isolate: false } },
      {
        extends: true,
        test: {
          name: 'apart',
          include: ['test/**/*.test.ts'],
          exclude: [...exclude, ...shared],
        },
      },
    ],
  },
})
