import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { install } from '../test/runtime/installation.ts'
import { runtimeNode, withoutRuntimeNode } from '../test/runtime/runtime-node.ts'
import { schedulerEvent } from '../test/runtime/scheduler-event.ts'
import { bundle } from './build.ts'

// Prints what each built function takes of time and memory, on Node 24 behind the Runtime API, against
// the embedded AWS endpoint and simulators of the vendors: the reasons for what the stack gives it.

/** Cold starts per figure; of these the median is told. */
const coldStarts = 5
/** Ticks in a row at which everything is due: a leak would show in what they add to memory. */
const busyTicks = 8
/** At least as many connections as one tick works on at a time. */
const concurrency = 20

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
const all = mkdtempSync(join(tmpdir(), 'token-rotator-'))
try {
  if (runtimeNode === undefined) process.stderr.write(withoutRuntimeNode)
  else await measureAll(runtimeNode)
} finally {
  rmSync(all, { recursive: true, force: true })
}

async function measureAll(node: string): Promise<void> {
  const { vendors } = await bundle(all)
  const rows: Row[] = [
    [
      'function',
      'cold start',
      'connections',
      'first tick',
      'idle tick',
      'busy tick',
      'memory',
      'later',
    ],
  ]
  for (const vendor of vendors) rows.push(await measure(vendor, node))
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  for (const row of rows) {
    const cells = row.map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
    process.stdout.write(`${cells.join('  ').trimEnd()}\n`)
  }
  process.stdout.write(`${process.arch}, a whole CPU; a function of 512 MB has 0.29 of one\n`)
}

type Row = readonly string[]

async function measure(vendor: string, node: string): Promise<Row> {
  const folder = mkdtempSync(join(all, 'function-'))
  const one = await install(vendor, { assets: join(all, 'assets'), folder, node, copies: 1 })
  const inits: number[] = []
  for (let n = 0; n < coldStarts; n++) {
    const environment = await one.start()
    inits.push(environment.initMilliseconds ?? Number.NaN)
    await environment.close()
  }
  const kinds = one.members.length
  await one.close()

  const copies = Math.ceil(concurrency / kinds)
  const busyFolder = mkdtempSync(join(all, 'function-'))
  const many = await install(vendor, {
    assets: join(all, 'assets'),
    folder: busyFolder,
    node,
    copies,
  })
  const environment = await many.start()
  const tick = async () => {
    const start = performance.now()
    const ended = await environment.invoke(schedulerEvent())
    if (ended.kind !== 'response') throw new Error(`${vendor}: ${ended.kind}`)
    return performance.now() - start
  }
  const first = await tick()
  // What is asked for again at once, such as a second token that the first one buys.
  await tick()
  const idle = await tick()
  const memory = environment.peakMemoryKib()
  const busy: number[] = []
  for (let n = 0; n < busyTicks; n++) {
    many.clock.aheadSeconds += 8 * 3600
    busy.push(await tick())
  }
  const later = environment.peakMemoryKib()
  await many.close()
  return [
    vendor,
    milliseconds(median(inits)),
    String(many.members.length),
    milliseconds(first),
    milliseconds(idle),
    milliseconds(median(busy)),
    megabytes(memory),
    megabytes(later),
  ]
}

function milliseconds(value: number): string {
  return `${Math.round(value)} ms`
}

function megabytes(kib: number): string {
  return `${Math.round(kib / 1024)} MB`
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}
