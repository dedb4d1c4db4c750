import { expect, test } from 'vitest'
import { defaultTimings } from '../../lib/core/renewal.ts'
import { compressed } from '../../lib/local/local-mode.ts'

test.each([1, 60, 120, 1000])(
  'at speed %i every tick still finds a session silent for long enough to ask it',
  (speed) => {
    expect(compressed(defaultTimings, speed).keepAliveSeconds).toBeLessThan(60 / speed)
  },
)
