import { afterAll, expect, test, vi } from 'vitest'
import { killUnderLoad } from './kill.ts'

// The killed processes are told where to look by this one's environment.
vi.stubEnv('AWS_ENDPOINT_URL', undefined)
afterAll(() => void vi.unstubAllEnvs())

test('twelve kills in mid-work lose no pair, spend none twice and leave no connection behind', async () => {
  const report = await killUnderLoad({
    kills: 12,
    seed: 'twelve',
    // One that starts anew at will, and those that cannot.
    demos: ['mdr-demo', 'incydr-refresh-demo', 'oauth2-refresh-demo', 'incydr-demo'],
    copies: 2,
  })
  expect(report).toMatchObject({ kills: 12, doubleSpends: 0, lostPairs: 0, unrecovered: 0 })
  expect(report.spends).toBeGreaterThanOrEqual(6)
  expect(report.rotations).toBeGreaterThan(0)
}, 180_000)
