import { execFile } from 'node:child_process'
import { expect, test } from 'vitest'
import { campaign } from './campaign.ts'

const few = { from: 0, count: 6, hours: 1 }

/** Runs the command in a process of its own. */
function torture(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const command = ['--import', 'tsx', 'scripts/torture.ts', ...args]
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

test('the same seeds give the same report, however many threads play them', async () => {
  const alone = await campaign({ ...few, workers: 1 })
  expect(await campaign({ ...few, workers: 3 })).toEqual(alone)
  expect(alone.total.seeds).toBe(6)
  expect((await campaign({ ...few, from: 1 })).digest).not.toBe(alone.digest)
})

test('one vendor can be played alone', async () => {
  const { tallies } = await campaign({ ...few, vendor: 'cisco-ftd' })
  for (const name of tallies.keys()) expect(name).toMatch(/^cisco-ftd/)
})

test('the command ends with one line of figures, and status 0 when nothing was lost', async () => {
  const { status, stdout, stderr } = await torture('--seeds', '4', '--hours', '1', '--json')
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const figures = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  expect(figures).toMatchObject({
    ...{ seeds: 4, doubleSpends: 0, lostPairs: 0, staleReads: 0, falseDead: 0 },
    ...{ duplicatePages: 0, unrecovered: 0, leaks: 0, lostEdits: 0 },
    rotations: expect.any(Number),
    spends: expect.any(Number),
    enrollments: expect.any(Number),
    runs: expect.any(Number),
    seconds: expect.any(Number),
    digest: expect.stringMatching(/^[0-9a-f]{16}$/),
  })
  expect(figures.faults['answer lost']).toBeGreaterThan(0)
})

test('a seed alone is one world, and its trace can be read', async () => {
  const { status, stdout, stderr } = await torture(
    '--seed',
    '5',
    '--hours',
    '1',
    '--trace',
    '--json',
  )
  expect(status).toBe(0)
  expect(JSON.parse(stdout).seeds).toBe(1)
  expect(stderr).toMatch(/^2026-01-01T00:00:0\S+Z a person enrolls: /)
})

test.each([
  [['--seeds', '0'], "--seeds '0': allowed is a whole number from 1 to 4294967296"],
  [['--seed', 'x'], "--seed 'x': allowed is a whole number from 0 to 4294967295"],
  [['--vendor', 'nope'], /^--vendor 'nope': allowed are kaspersky-mdr, cisco-ftd(, [\w-]+)*$/],
  [['--kills', '3'], /^--kills means nothing here; allowed: --seeds, --seed(, --\w+)*$/],
  [['--sockets', '--hours', '3'], /^--hours means nothing here; allowed: --sockets, --kills/],
  [
    ['--exhaustive', '--sockets'],
    '--exhaustive and --sockets are two modes; allowed is one of them',
  ],
])('bad options %j are one line on stderr and status 2', async (args, message) => {
  const { status, stdout, stderr } = await torture(...args)
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr.split('\n')).toEqual([expect.stringMatching(/^torture: /), ''])
  expect(stderr.trimEnd().replace('torture: ', '')).toMatch(message)
})
