import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The suite is meant for two cores; left to itself the runner keeps one of two idle.
    maxWorkers: 2,
    // Tests that start commands of their own must not fail because the machine is busy.
    testTimeout: 60_000,
    // The SDK's reminder about Node 20 is for those who upgrade it, not for the reader of a test run.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  },
})
