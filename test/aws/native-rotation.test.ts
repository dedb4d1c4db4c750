import { randomUUID } from 'node:crypto'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { tracesOf } from '../canaries.ts'
import { captured } from './account.ts'
import { noHarm, rotated } from './rotated.ts'

const allSteps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret']

/** Spends a refresh token; spends and holds nothing; holds a session that is kept alive. */
const demos = ['mdr-demo', 'incydr-demo', 'ksc-demo']

/** Configured for native rotation, and rotated by the schedule once. */
async function running(demo: string) {
  const printed = captured()
  const scene = await rotated(demo)
  await scene.configure()
  await scene.tick()
  const before = Object.keys((await scene.labels()) ?? {})
  return Object.assign(scene, { printed, before, issued: () => scene.simulator.counters().issued })
}

describe.each(demos)('rotate-secret of %s', (demo) => {
  test('goes through the four steps and ends with its version current, as AWS expects', async () => {
    const scene = await running(demo)
    const issued = scene.issued()
    const token = await scene.rotateNow()
    expect(scene.steps).toEqual(allSteps)
    expect(await scene.labels()).toEqual({
      [token]: ['AWSCURRENT'],
      [scene.before[0] ?? '']: ['AWSPREVIOUS'],
    })
    expect(scene.issued()).toBe(issued + 1)
    expect(await scene.isServed()).toBe(true)
    expect(scene.harm()).toEqual(noHarm)
    const described = await scene.secrets.describeSecret({ SecretId: scene.consumer })
    expect(described.LastRotatedDate).toBeInstanceOf(Date)
    expect((await scene.ledger())[0]).not.toHaveProperty('lease')
  })

  test('works again at once, and the schedule goes on after it', async () => {
    const scene = await running(demo)
    const first = await scene.rotateNow()
    const second = await scene.rotateNow()
    expect(await scene.labels()).toEqual({ [second]: ['AWSCURRENT'], [first]: ['AWSPREVIOUS'] })
    await scene.requestRotation()
    expect(await scene.tick()).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
    expect((await scene.labels())?.[second]).toEqual(['AWSPREVIOUS'])
    expect(await scene.isServed()).toBe(true)
    expect(scene.harm()).toEqual(noHarm)
  })

  test('is not disturbed by steps that come twice', async () => {
    const scene = await running(demo)
    const issued = scene.issued()
    scene.passage = async (_event, invoke) => {
      await invoke()
      await invoke()
    }
    const token = await scene.rotateNow()
    expect((await scene.labels())?.[token]).toEqual(['AWSCURRENT'])
    expect(scene.issued()).toBe(issued + 1)
    expect(scene.harm()).toEqual(noHarm)
  })

  test.each(demo === 'mdr-demo' ? allSteps : ['testSecret'])(
    'and a scheduled run right before %s do not clobber each other',
    async (at) => {
      const scene = await running(demo)
      scene.passage = async ({ Step }, invoke) => {
        if (Step === at) {
          await scene.requestRotation()
          expect(await scene.tick()).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
          expect(await scene.isServed()).toBe(true)
        }
        await invoke()
      }
      await scene.rotateNow()
      expect(await scene.isServed()).toBe(true)
      scene.passage = (_event, invoke) => invoke()
      const next = await scene.rotateNow()
      expect((await scene.labels())?.[next]).toEqual(['AWSCURRENT'])
      expect(await scene.isServed()).toBe(true)
      expect(scene.harm()).toEqual(noHarm)
    },
  )

  test('whose function is never reached leaves an empty version, which the next scheduled run heals', async () => {
    const scene = await running(demo)
    scene.passage = async () => {
      throw new Error('throttled')
    }
    const token = await scene.rotateNow()
    expect(scene.steps).toEqual(['createSecret', 'createSecret', 'createSecret'])
    expect((await scene.labels())?.[token]).toEqual(['AWSPENDING'])
    expect(await scene.isServed()).toBe(true)
    await scene.secrets.cancelRotateSecret({ SecretId: scene.consumer })
    await scene.requestRotation()
    await scene.tick()
    expect(Object.values((await scene.labels()) ?? {}).sort()).toEqual([
      ['AWSCURRENT', 'AWSPENDING'],
      ['AWSPREVIOUS'],
    ])
    scene.passage = (_event, invoke) => invoke()
    const next = await scene.rotateNow()
    expect((await scene.labels())?.[next]).toEqual(['AWSCURRENT'])
    expect(scene.harm()).toEqual(noHarm)
  })

  test('is refused while an empty version is pending, and carries that one out instead', async () => {
    const scene = await running(demo)
    scene.passage = async () => {
      throw new Error('throttled')
    }
    const token = await scene.rotateNow()
    scene.passage = (_event, invoke) => invoke()
    await expect(scene.rotateNow()).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: "A previous rotation isn't complete. That rotation will be reattempted.",
    })
    await scene.endpoint.rotationsSettled()
    expect((await scene.labels())?.[token]).toEqual(['AWSCURRENT'])
    expect(await scene.isServed()).toBe(true)
    expect(scene.harm()).toEqual(noHarm)
  })
})

describe('a rotation that spends a refresh token', () => {
  test.each(allSteps.slice(1))(
    'that ends before %s leaves nothing behind that a tick or the next one minds',
    async (lost) => {
      const scene = await running('mdr-demo')
      scene.passage = async ({ Step }, invoke) => {
        if (Step === lost) throw new Error('the function was never reached')
        await invoke()
      }
      const token = await scene.rotateNow()
      expect(await scene.isServed()).toBe(true)
      await scene.tick()
      expect((await scene.labels())?.[token]).toContain('AWSCURRENT')
      scene.passage = (_event, invoke) => invoke()
      const next = await scene.rotateNow()
      expect(await scene.labels()).toEqual({ [next]: ['AWSCURRENT'], [token]: ['AWSPREVIOUS'] })
      expect(await scene.isServed()).toBe(true)
      expect(scene.harm()).toEqual(noHarm)
    },
  )

  test('that is cancelled in the middle ends there; switched on again it rotates', async () => {
    const scene = await running('mdr-demo')
    scene.passage = async ({ Step }, invoke) => {
      await invoke()
      if (Step === 'createSecret') {
        await scene.secrets.cancelRotateSecret({ SecretId: scene.consumer })
      }
    }
    const token = await scene.rotateNow()
    expect(scene.steps).toEqual(['createSecret'])
    expect(await scene.isServed()).toBe(true)
    await expect(scene.step('finishSecret', token)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      field: 'SecretId',
    })
    scene.passage = (_event, invoke) => invoke()
    const next = await scene.rotateNow()
    expect(await scene.labels()).toEqual({ [next]: ['AWSCURRENT'], [token]: ['AWSPREVIOUS'] })
    expect(scene.harm()).toEqual(noHarm)
  })
})

describe('createSecret', () => {
  test('gives the rotation token back with its own version and no other, and logs none', async () => {
    const scene = await running('mdr-demo')
    const sent = vi.spyOn(SecretsManagerClient.prototype, 'send')
    onTestFinished(() => sent.mockRestore())
    let rotationToken = ''
    scene.passage = async (event, invoke) => {
      rotationToken = event.RotationToken
      await invoke()
    }
    const token = await scene.rotateNow()
    const puts = sent.mock.calls.flatMap(([{ input }]) => ('SecretString' in input ? [input] : []))
    const given = puts.map((put) => ({ ClientRequestToken: '', RotationToken: undefined, ...put }))
    expect(given.map((put) => [put.ClientRequestToken === token, put.RotationToken])).toEqual([
      [false, undefined],
      [true, rotationToken],
    ])
    expect(rotationToken).toHaveLength(36)
    expect(scene.printed.text).toContain('"outcome":"rotated"')
    expect(tracesOf([rotationToken], scene.printed.text)).toEqual([])
  })

  test('waits for a scheduled run that holds the lease, and spends no token that it has sent', async () => {
    const scene = await running('mdr-demo')
    const spends = scene.simulator.counters().spends
    scene.simulator.inject({ kind: 'slow', on: 'refresh', ms: 1500 })
    await scene.requestRotation()
    const scheduled = scene.tick()
    await vi.waitUntil(() => scene.simulator.counters().spends === spends + 1, { timeout: 10_000 })
    const token = await scene.rotateNow()
    expect(await scheduled).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
    expect((await scene.labels())?.[token]).toEqual(['AWSCURRENT'])
    expect(scene.simulator.counters()).toMatchObject({ spends: spends + 2, ...noHarm })
    expect(await scene.isServed()).toBe(true)
  }, 30_000)

  test('gives up waiting when the time that is left is needed for the run itself', async () => {
    const scene = await running('mdr-demo')
    const spends = scene.simulator.counters().spends
    scene.simulator.inject({ kind: 'slow', on: 'refresh', ms: 1500 })
    await scene.requestRotation()
    const scheduled = scene.tick()
    await vi.waitUntil(() => scene.simulator.counters().spends === spends + 1, { timeout: 10_000 })
    const step = scene.step('createSecret', randomUUID(), 80)
    await expect(step).rejects.toThrow('another run is at work on mdr-demo')
    await scheduled
  }, 30_000)

  test('that meets a vendor out of order fails, stays ordered, and is carried out by the next tick', async () => {
    const scene = await running('ksc-demo')
    scene.simulator.inject({ kind: 'error-503', on: 'grant', times: 3 })
    const token = await scene.rotateNow()
    expect(scene.steps).toEqual(['createSecret', 'createSecret', 'createSecret'])
    expect((await scene.labels())?.[token]).toEqual(['AWSPENDING'])
    expect(await scene.isServed()).toBe(true)
    await scene.makeDue()
    expect(await scene.tick()).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
    expect((await scene.labels())?.[token]).toContain('AWSCURRENT')
    await scene.step('finishSecret', token)
    expect(await scene.isServed()).toBe(true)
  })

  test('whose answer from the vendor is missing spends nothing twice, however often it is tried', async () => {
    const scene = await running('mdr-demo')
    scene.simulator.inject({ kind: 'consume-then-drop' })
    const spends = scene.simulator.counters().spends
    await scene.rotateNow()
    expect(scene.steps).toEqual(['createSecret', 'createSecret', 'createSecret'])
    expect(scene.simulator.counters()).toMatchObject({ spends: spends + 1, presentedTwice: 0 })
    expect(await scene.isServed()).toBe(true)
  })

  test('of a connection that nobody has enrolled says so; once it is, the same version is filled', async () => {
    captured()
    const scene = await rotated('mdr-demo', { isEnrolled: false })
    await scene.configure()
    expect(scene.failed).toEqual([])
    const token = await scene.rotateNow()
    expect(scene.failed[0]).toContain('run: token-rotator enroll mdr-demo')
    await scene.enroll()
    expect(await scene.tick()).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
    expect((await scene.labels())?.[token]).toContain('AWSCURRENT')
    expect(await scene.isServed()).toBe(true)
    const next = await scene.rotateNow()
    expect((await scene.labels())?.[next]).toEqual(['AWSCURRENT'])
    expect(scene.harm()).toEqual(noHarm)
  })
})

test('a rotation that was cancelled before it began is cleared away by a tick that publishes nothing', async () => {
  const scene = await running('ksc-demo')
  scene.passage = async () => {
    throw new Error('throttled')
  }
  const token = await scene.rotateNow()
  await scene.secrets.cancelRotateSecret({ SecretId: scene.consumer })
  expect((await scene.labels())?.[token]).toEqual(['AWSPENDING'])
  await scene.makeDue()
  expect(await scene.tick()).toMatchObject({ outcomes: [{ outcome: 'unchanged' }] })
  expect(Object.keys((await scene.labels()) ?? {})).toEqual(scene.before)
  expect(await scene.isServed()).toBe(true)
})

test('a rotation that was cancelled before it began is cleared away while nothing is due, and can begin anew', async () => {
  const scene = await running('mdr-demo')
  scene.passage = async () => {
    throw new Error('throttled')
  }
  await scene.rotateNow()
  await scene.secrets.cancelRotateSecret({ SecretId: scene.consumer })
  expect(await scene.tick()).toEqual({ outcomes: [] })
  expect(Object.keys((await scene.labels()) ?? {})).toEqual(scene.before)
  scene.passage = (_event, invoke) => invoke()
  const next = await scene.rotateNow()
  expect((await scene.labels())?.[next]).toEqual(['AWSCURRENT'])
  expect(scene.harm()).toEqual(noHarm)
})

describe('a step out of order', () => {
  test.each(['setSecret', 'testSecret', 'finishSecret'])(
    '(%s before createSecret) is refused and changes nothing',
    async (Step) => {
      const scene = await running('mdr-demo')
      scene.passage = async (_event, invoke) => {
        if (scene.steps.length === 1) {
          const early = scene.step(Step, String(Object.keys((await scene.labels()) ?? {}).at(-1)))
          await expect(early).rejects.toThrow(`${Step} of mdr-demo: createSecret has not`)
        }
        await invoke()
      }
      const token = await scene.rotateNow()
      expect(scene.steps).toEqual(allSteps)
      expect((await scene.labels())?.[token]).toEqual(['AWSCURRENT'])
      expect(scene.harm()).toEqual(noHarm)
    },
  )

  test('(createSecret after finishSecret, and after a newer token) renews nothing', async () => {
    const scene = await running('mdr-demo')
    const token = await scene.rotateNow()
    await scene.step('createSecret', token)
    await scene.requestRotation()
    await scene.tick()
    const spends = scene.simulator.counters().spends
    const labels = await scene.labels()
    for (const Step of allSteps) await scene.step(Step, token)
    expect(scene.simulator.counters().spends).toBe(spends)
    expect(await scene.labels()).toEqual(labels)
  })
})

describe('testSecret alone', () => {
  test.each(demos)(
    'asks about the token that is current, and renews nothing (%s)',
    async (demo) => {
      const scene = await running(demo)
      const issued = scene.issued()
      const seen: string[] = []
      scene.passage = async ({ Step }, invoke) => {
        await invoke()
        seen.push(Step)
      }
      await scene.configure()
      expect(seen).toEqual(['testSecret'])
      const labels = (await scene.labels()) ?? {}
      expect(Object.keys(labels)).toEqual(scene.before)
      expect(labels[scene.before[0] ?? '']).toContain('AWSCURRENT')
      expect(scene.issued()).toBe(issued)
    },
  )

  test('fails if the vendor does not take it', async () => {
    const scene = await running('mdr-demo')
    const dead = {
      ...(await scene.current(scene.consumer)),
      access_token: 'dead',
      headers: { Authorization: 'Bearer dead' },
    }
    await scene.secrets.putSecretValue({
      SecretId: scene.consumer,
      SecretString: JSON.stringify(dead),
    })
    await scene.configure()
    expect(scene.failed).toEqual([expect.stringContaining('testSecret of mdr-demo: ')])
    expect(scene.failed[0]).not.toContain('dead')
  })
})

describe('a rotation that is configured on another secret', () => {
  test('is refused with the name of the right one, and nothing is renewed', async () => {
    const scene = await running('mdr-demo')
    const { spends } = scene.simulator.counters()
    const { VersionId } = await scene.secrets.rotateSecret({
      SecretId: scene.enrollment,
      RotationLambdaARN: scene.functionArn,
    })
    await scene.endpoint.rotationsSettled()
    expect(scene.failed[0]).toContain('token-rotator/mdr-demo/access-token')
    expect(scene.simulator.counters().spends).toBe(spends)
    expect(await scene.tick()).toEqual({ outcomes: [] })
    await scene.requestRotation()
    expect(await scene.tick()).toMatchObject({ outcomes: [{ outcome: 'rotated' }] })
    const versions = await scene.secrets.describeSecret({ SecretId: scene.enrollment })
    expect(versions.VersionIdsToStages).not.toHaveProperty(String(VersionId))
    expect(scene.harm()).toEqual(noHarm)
  })
})
