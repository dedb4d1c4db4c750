import { setTimeout as sleep } from 'node:timers/promises'
import type { Timings } from '../../lib/core/renewal.ts'
import { createTicks } from './ticks.ts'

// What is to be killed: the shipped functions of all vendors, invoked in ticks, each in
// its own time. It begins when it is told to, so that a successor can stand by.
const { vendorIds, timings, functionSeconds, everyMilliseconds } = JSON.parse(
  process.argv[2] ?? '',
) as {
  vendorIds: string[]
  timings: Timings
  functionSeconds: number
  everyMilliseconds: number
}

process.once('disconnect', () => process.exit())
process.once('message', () => {
  for (const id of vendorIds) void tickForever(createTicks([id], timings, functionSeconds))
})
process.send?.('ready')

// One invocation of a function at a time: on a machine that is slower than its ticks, leases made short
// for this would run out under one run while the next one waits, and so forever.
async function tickForever(invoke: () => Promise<unknown>): Promise<never> {
  for (;;) {
    await invoke()
    await sleep(everyMilliseconds)
  }
}
