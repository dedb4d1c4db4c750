import { parentPort } from 'node:worker_threads'
import { playRange, type SeedRange } from './range.ts'

// A thread of a campaign: plays the ranges that it is given, one after another.
parentPort?.on('message', async (range: SeedRange) => {
  parentPort?.postMessage(await playRange(range))
})
