import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { vendors } from '../../lib/vendors/index.ts'
import { bundle } from '../../scripts/build.ts'
import { temporaryFolder } from '../temporary.ts'
import { startEnvironment } from './execution-environment.ts'
import { install } from './installation.ts'
import { losses } from './relay.ts'
import { runtimeNode, withoutRuntimeNode } from './runtime-node.ts'
import { schedulerEvent } from './scheduler-event.ts'

if (runtimeNode === undefined) process.stderr.write(withoutRuntimeNode)
const node = runtimeNode ?? ''
const dist = temporaryFolder()

// Milliseconds that a busy machine may take for seconds of work.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
beforeAll(() => bundle(dist))

async function installed(vendor: string) {
  const assets = join(dist, 'assets')
  const installation = await install(vendor, { assets, folder: temporaryFolder(), node })
  onTestFinished(installation.close)
  return installation
}

/** The outcome of each connection, by its id. */
function outcomes(ended: unknown): Record<string, string> {
  const { value } = ended as { value: { outcomes: { connection: string; outcome: string }[] } }
  return Object.fromEntries(value.outcomes.map(({ connection, outcome }) => [connection, outcome]))
}

test('Node 24 is there for this suite and stands in front of nobody’s own', () => {
  expect(existsSync(join('node_modules', '.bin', 'node'))).toBe(false)
})

describe.skipIf(runtimeNode === undefined)('on Node 24, behind the Runtime API', () => {
  describe.each(Object.keys(vendors))('the function of %s', (vendor) => {
    test('rotates all that is enrolled at one event of the Scheduler, and answers with outcomes', async () => {
      const { members, start, consume } = await installed(vendor)
      const environment = await start()
      const rotated = Object.fromEntries(members.map(({ demo }) => [demo.id, 'rotated']))
      expect(outcomes(await environment.invoke(schedulerEvent()))).toEqual(rotated)
      for (const member of members) expect(await consume(member)).toBe(200)
      // What it holds now serves the next one.
      const again = Object.values(outcomes(await environment.invoke(schedulerEvent())))
      expect(again.filter((outcome) => !['rotated', 'kept-alive'].includes(outcome))).toEqual([])
      for (const { simulator } of members) {
        expect(simulator.counters()).toMatchObject({ presentedTwice: 0, refusals: 0 })
      }
      for (const { demo } of members) expect(environment.output()).toContain(`"${demo.id}"`)
    })
  })

  test('a function reaches no file but its own', async () => {
    const folder = temporaryFolder()
    const outside = join(temporaryFolder(), 'outside.mjs')
    writeFileSync(outside, 'export const handler = async () => "reached"\n')
    writeFileSync(
      join(folder, 'curious.mjs'),
      `export const handler = async () => (await import(${JSON.stringify(outside)})).handler()\n`,
    )
    const environment = await startEnvironment({
      ...{ folder, node, handler: 'curious.handler', environment: {} },
    })
    onTestFinished(environment.close)
    expect(await environment.invoke({})).toMatchObject({
      kind: 'error',
      error: { errorMessage: expect.stringContaining('Access to this API has been restricted') },
    })
  })

  test('a function that cannot be loaded tells so instead of asking for work', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'broken.mjs'), "import './not-deployed.mjs'\n")
    const environment = await startEnvironment({
      ...{ folder, node, handler: 'broken.handler', environment: {} },
    })
    onTestFinished(environment.close)
    expect(environment.initMilliseconds).toBeUndefined()
    expect(await environment.invoke({})).toMatchObject({
      kind: 'init-error',
      error: { errorMessage: expect.stringContaining('not-deployed.mjs') },
    })
  })

  test('an event that is none of its business is refused by name, and nothing is sent', async () => {
    const { members, start } = await installed('kaspersky-mdr')
    const environment = await start()
    for (const event of [{ Records: [{ eventSource: 'aws:sqs' }] }, 'tick', null, [{}]]) {
      expect(await environment.invoke(event)).toMatchObject({
        kind: 'error',
        error: { errorType: 'ConfigError', errorMessage: expect.stringMatching(/^event: /) },
      })
    }
    expect(members[0]?.simulator.counters().spends).toBe(0)
    // None of it has hurt: the next one is served as ever.
    expect(outcomes(await environment.invoke(schedulerEvent()))).toEqual({ 'mdr-demo': 'rotated' })
  })

  test('asked by Secrets Manager itself, it goes through the four steps', async () => {
    const { members, start, rotateNow, consume } = await installed('kaspersky-mdr')
    const [member] = members
    if (member === undefined) throw new Error('no connection')
    const environment = await start()
    await environment.invoke(schedulerEvent())
    const steps: string[] = []
    await rotateNow(member, async (event) => {
      const ended = await environment.invoke(event)
      steps.push(`${(event as { Step: string }).Step} ${ended.kind}`)
    })
    expect(steps).toEqual([
      'createSecret response',
      'setSecret response',
      'testSecret response',
      'finishSecret response',
    ])
    expect(await consume(member)).toBe(200)
    expect(member.simulator.counters()).toMatchObject({ spends: 2, presentedTwice: 0 })
  })

  test('with less time left than a spending grant may take, nothing is begun', async () => {
    const { members, start } = await installed('kaspersky-mdr')
    const environment = await start()
    const ended = await environment.invoke(schedulerEvent(), { timeoutSeconds: 30 })
    expect(outcomes(ended)).toEqual({ 'mdr-demo': 'deferred' })
    expect(members[0]?.simulator.counters().calls).toEqual({})
  })

  test('frozen, and thawed when it is due again with its connections lost, it carries on', async () => {
    const { members, clock, relay, start, consume } = await installed('oauth2')
    const environment = await start()
    const rotated = Object.fromEntries(members.map(({ demo }) => [demo.id, 'rotated']))
    expect(outcomes(await environment.invoke(schedulerEvent()))).toEqual(rotated)
    for (const loss of losses) {
      expect(environment.isFrozen()).toBe(true)
      expect(relay.open()).toBeGreaterThan(2)
      relay.lose(loss)
      clock.aheadSeconds += 3600
      expect(outcomes(await environment.invoke(schedulerEvent())), loss).toEqual(rotated)
    }
    for (const member of members) {
      expect(await consume(member)).toBe(200)
      expect(member.simulator.counters()).toMatchObject({ presentedTwice: 0 })
    }
  })

  test('killed at its time-out with a pair on its way, the next one brings it home without a grant', async () => {
    const { endpoint, members, clock, start, consume } = await installed('kaspersky-mdr')
    const [member] = members
    if (member === undefined) throw new Error('no connection')
    const never = { kind: 'delay', milliseconds: 3_600_000, times: 1000 } as const
    endpoint.inject({ operation: 'UpdateSecretVersionStage', ...never })
    const first = await start()
    const timeOut = new AbortController()
    const ended = first.invoke(schedulerEvent(), { timeOut: timeOut.signal })
    await vi.waitUntil(() => endpoint.calls().UpdateSecretVersionStage, { timeout: 30_000 })
    timeOut.abort()
    expect(await ended).toEqual({ kind: 'timed-out' })
    expect(first.isAlive()).toBe(false)

    endpoint.clearFaults()
    const second = await start()
    // Its lease outlasts it.
    expect(outcomes(await second.invoke(schedulerEvent()))).toEqual({ 'mdr-demo': 'lease-held' })
    clock.aheadSeconds += 360
    expect(outcomes(await second.invoke(schedulerEvent()))).toEqual({ 'mdr-demo': 'resumed' })
    expect(await consume(member)).toBe(200)
    expect(member.simulator.counters()).toMatchObject({ spends: 1, presentedTwice: 0 })
  })

  test('one event that comes twice, to two of its processes at once, spends once', async () => {
    const { members, start, consume } = await installed('kaspersky-mdr')
    const [member] = members
    if (member === undefined) throw new Error('no connection')
    const event = schedulerEvent()
    const both = await Promise.all([start(), start()])
    const ended = await Promise.all(both.map((each) => each.invoke(event)))
    const told = ended.flatMap((each) => Object.values(outcomes(each)))
    expect(told.filter((outcome) => outcome === 'rotated')).toHaveLength(1)
    // The other one found the lease taken, or nothing due any more.
    expect(told.filter((outcome) => !['rotated', 'lease-held'].includes(outcome))).toEqual([])
    expect(await consume(member)).toBe(200)
    expect(member.simulator.counters()).toMatchObject({ spends: 1, presentedTwice: 0 })
  })

  test('killed at its time-out with its question on the way, the next one serves what lives and asks nothing', async () => {
    const { members, clock, start, consume } = await installed('kaspersky-mdr')
    const [member] = members
    if (member === undefined) throw new Error('no connection')
    const { simulator } = member
    const first = await start()
    expect(outcomes(await first.invoke(schedulerEvent()))).toEqual({ 'mdr-demo': 'rotated' })
    clock.aheadSeconds += 2701
    simulator.inject({ kind: 'slow', on: 'grant', ms: 3_600_000 })
    const timeOut = new AbortController()
    const ended = first.invoke(schedulerEvent(), { timeOut: timeOut.signal })
    await vi.waitUntil(() => simulator.counters().spends === 2, { timeout: 30_000 })
    timeOut.abort()
    expect(await ended).toEqual({ kind: 'timed-out' })

    simulator.clearFaults()
    const second = await start()
    clock.aheadSeconds += 335
    expect(outcomes(await second.invoke(schedulerEvent()))).toEqual({ 'mdr-demo': 'blocked' })
    expect(await consume(member)).toBe(200)
    expect(simulator.counters()).toMatchObject({ spends: 2, presentedTwice: 0 })
    // Nearly out: the one repetition, and not another.
    for (const seconds of [180, 180, 180]) {
      clock.aheadSeconds += seconds
      await second.invoke(schedulerEvent())
    }
    expect(simulator.counters()).toMatchObject({ spends: 3, presentedTwice: 1 })
  })
})
