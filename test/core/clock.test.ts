import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { setClock } from '../../lib/core/clock.ts'
import { manualClock } from './memory.ts'
import { mdrWorld, start } from './world.ts'

const seconds = (count: number) => count * 1000
/** As in HTTP's `Date`. */
const cut = (instant: number) => new Date(Math.floor(instant / 1000) * 1000)

describe('a clock set by answers', () => {
  test('is right within a second and the time that the answer took, however wrong the local one is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -seconds(86_400), max: seconds(86_400) }),
        fc.integer({ min: 0, max: seconds(5) }),
        fc.integer({ min: 0, max: seconds(5) }),
        fc.integer({ min: 0, max: 999 }),
        (wrong, out, back, phase) => {
          const real = start.getTime() + phase
          const local = manualClock(new Date(real + wrong))
          const clock = setClock(local)
          const sentAt = local.now()
          local.advance((out + back) / 1000)
          clock.set({ at: cut(real + out), sentAt, receivedAt: local.now() })
          const off = Math.abs(clock.now().getTime() - (real + out + back))
          expect(off).toBeLessThanOrEqual(out + back + 1000)
        },
      ),
    )
  })

  test('leaves a right clock as it is', () => {
    const local = manualClock(new Date(start.getTime() + 400))
    const clock = setClock(local)
    for (const took of [0, 0.3, 2, 0.6]) {
      const sentAt = local.now()
      local.advance(took)
      clock.set({ at: cut(sentAt.getTime() + took * 500), sentAt, receivedAt: local.now() })
      expect(clock.now()).toEqual(local.now())
    }
  })

  test('follows when the local one jumps', () => {
    const local = manualClock(start)
    const clock = setClock(local)
    local.advance(120)
    clock.set({ at: start, sentAt: local.now(), receivedAt: local.now() })
    expect(clock.now().getTime() - start.getTime()).toBeLessThan(1000)
  })
})

describe('a process whose clock is two minutes off', () => {
  test.each([-120, 120])(
    '(%d s) neither takes a lease that is held nor renews early',
    async (off) => {
      const world = mdrWorld()
      const { clock, ledger } = world
      const local = {
        now: () => new Date(clock.now().getTime() + off * 1000),
        sleep: clock.sleep,
      }
      const set = setClock(local)
      const dated = async <R>(call: Promise<R>): Promise<R> => {
        const sentAt = local.now()
        const result = await call
        set.set({ at: cut(clock.now().getTime()), sentAt, receivedAt: local.now() })
        return result
      }
      const through = {
        ...world.ports,
        clock: set,
        ledger: {
          read: (...args: Parameters<typeof ledger.read>) => dated(ledger.read(...args)),
          write: (...args: Parameters<typeof ledger.write>) => dated(ledger.write(...args)),
          dues: (...args: Parameters<typeof ledger.dues>) => dated(ledger.dues(...args)),
        },
      }
      await world.invoke()
      const due = world.item().dueAt.getTime()
      clock.advance((due - clock.now().getTime()) / 1000 - 5)
      expect(await world.invoke(through)).toBeUndefined()
      clock.advance(10)
      const expiresAt = new Date(clock.now().getTime() + 60_000)
      world.ledger.items.set('mdr-prod', { ...world.item(), lease: { runId: 'run-x', expiresAt } })
      expect(await world.invoke(through)).toMatchObject({ outcome: 'lease-held' })
      clock.advance(65)
      expect(await world.invoke(through)).toMatchObject({ outcome: 'rotated' })
    },
  )
})
