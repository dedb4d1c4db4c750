import { parentPort } from 'node:worker_threads'
import { playRange, type SeedRange } from './range.ts'

// Failures are made by the thousand here, and nobody reads where they were made.
Error.stackTraceLimit = 0

// A thread of a campaign: plays the ranges that it is given, one after another.
parentPort?.on('message', async (range: SeedRange) => {
  parentPort?.postMessage(await playRange(range))
})
