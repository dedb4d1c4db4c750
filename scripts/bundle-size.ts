import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { bundle } from './build.ts'

/** Starts per figure; of these the median is told. */
const starts = 15

// Prints what each function's bundle weighs and how long it takes to load above bare Node, here.
const dist = mkdtempSync(join(tmpdir(), 'token-rotator-'))
try {
  const { vendors } = await bundle(dist)
  process.stdout.write(
    `node ${process.version}, ${process.arch}; median of ${starts} starts above bare node\n`,
  )
  for (const vendor of vendors) {
    const folder = join(dist, 'assets', vendor)
    const files = readdirSync(folder).map((file) => join(folder, file))
    const kib = (bytes: readonly number[]) =>
      `${Math.round(bytes.reduce((one, other) => one + other, 0) / 1024)} KiB`
    const size = kib(files.map((file) => statSync(file).size))
    const packed = kib(files.map((file) => gzipSync(readFileSync(file)).length))
    const load = loadMilliseconds(join(folder, `${vendor}.mjs`))
    process.stdout.write(
      `${vendor}: ${files.length} files, ${size} (${packed} gzipped), loads in ${load} ms\n`,
    )
  }
} finally {
  rmSync(dist, { recursive: true, force: true })
}

/** The two kinds of start take turns, so that a busy moment of the machine falls on both. */
function loadMilliseconds(entry: string): number {
  const bare: number[] = []
  const loaded: number[] = []
  for (let start = 0; start < starts; start++) {
    bare.push(startMilliseconds(''))
    loaded.push(startMilliseconds(`await import(${JSON.stringify(entry)})`))
  }
  return Math.round(median(loaded) - median(bare))
}

function startMilliseconds(code: string): number {
  const before = performance.now()
  // Without a region the clients still load; the reminder about Node 20 would be measured as well.
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  })
  if (status !== 0) throw new Error(`a bundle does not load: ${stderr}`)
  return performance.now() - before
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
}
