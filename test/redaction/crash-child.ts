import * as v from 'valibot'
import { shortTimings } from '../sockets/short-timings.ts'
import { createTicks } from '../sockets/ticks.ts'

// What is to crash: the shipped functions of these vendors, each invoked once. How it dies, and with what
// last words, it is told in the middle of a run.
const vendorIds = v.parse(v.array(v.string()), JSON.parse(process.argv[2] ?? ''))
const Order = v.object({
  death: v.picklist(['exception', 'rejection', 'memory']),
  words: v.string(),
})

process.once('message', (message) => {
  const { death, words } = v.parse(Order, message)
  if (death === 'exception') throw new Error(words)
  if (death === 'rejection') return void Promise.reject(new Error(words))
  const hog: unknown[] = []
  for (;;) hog.push(Array.from({ length: 10_000 }, (_, n) => ({ n })))
})
process.once('disconnect', () => process.exit())
await createTicks(vendorIds, shortTimings(1, 20), 60)()
