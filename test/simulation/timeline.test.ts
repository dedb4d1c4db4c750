import { expect, test } from 'vitest'
import { newTimeline } from './timeline.ts'

test('what is asked for at one instant happens in the order of asking', async () => {
  const timeline = newTimeline(0)
  const seen: string[] = []
  timeline.at(20, () => seen.push('third'))
  timeline.at(10, () => seen.push('first'))
  timeline.at(10, () => seen.push('second'))
  await timeline.until(30)
  expect(seen).toEqual(['first', 'second', 'third'])
})

test('time stands where the event is while it happens, and at the end afterwards', async () => {
  const timeline = newTimeline(5)
  const seen: number[] = []
  timeline.at(12, () => seen.push(timeline.now()))
  await timeline.until(30)
  expect(seen).toEqual([12])
  expect(timeline.now()).toBe(30)
})

test('what lies beyond the end waits for the next stretch', async () => {
  const timeline = newTimeline(0)
  const seen: number[] = []
  timeline.at(31, () => seen.push(31))
  timeline.at(30, () => seen.push(30))
  await timeline.until(30)
  expect(seen).toEqual([30])
  await timeline.until(40)
  expect(seen).toEqual([30, 31])
})

test('what was due in the past happens now: time never runs backwards', async () => {
  const timeline = newTimeline(0)
  const seen: number[] = []
  timeline.at(20, () => timeline.at(10, () => seen.push(timeline.now())))
  await timeline.until(30)
  expect(seen).toEqual([20])
})

test('everything that an event sets going has come to rest before the next event', async () => {
  const timeline = newTimeline(0)
  const seen: string[] = []
  const steps = async () => {
    for (let step = 0; step < 50; step++) await null
    seen.push('rested')
  }
  timeline.at(10, () => void steps())
  timeline.at(10, () => seen.push('next'))
  await timeline.until(30)
  expect(seen).toEqual(['rested', 'next'])
})

test('a skip goes on at once where nothing happens before', async () => {
  const timeline = newTimeline(0)
  const seen: (boolean | number)[] = []
  timeline.at(10, () => seen.push(timeline.skip(15), timeline.now()))
  await timeline.until(30)
  expect(seen).toEqual([true, 15])
})

test.each([14, 15])('a skip to 15 does not pass over an event at %i', async (instant) => {
  const timeline = newTimeline(0)
  const seen: (boolean | number)[] = []
  timeline.at(10, () => seen.push(timeline.skip(15), timeline.now()))
  timeline.at(instant, () => seen.push(timeline.now()))
  await timeline.until(30)
  expect(seen).toEqual([false, 10, instant])
})

test('a skip does not pass over the end of the stretch', async () => {
  const timeline = newTimeline(0)
  const seen: (boolean | number)[] = []
  timeline.at(10, () => seen.push(timeline.skip(31), timeline.now()))
  await timeline.until(30)
  expect(seen).toEqual([false, 10])
})
