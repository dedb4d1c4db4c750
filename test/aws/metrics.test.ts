import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { marshall } from '@aws-sdk/util-dynamodb'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createHandler } from '../../lib/aws/handler.ts'
import { kasperskyMdr as simulated } from '../../lib/local/simulators/kaspersky-mdr.ts'
import { kasperskyMdr } from '../../lib/vendors/kaspersky-mdr.ts'
import { connect } from '../local/aws/setup.ts'
import { account, captured, context } from './account.ts'
import { metricsIn, type Written } from './emf.ts'

/** MDR with a connection that is enrolled and another that nobody has enrolled yet. */
async function deployed() {
  const simulator = await simulated.start()
  onTestFinished(() => simulator.close())
  const { url, ca, credential } = simulator
  const { clientId, refreshToken } = credential
  const options = { vendor: 'kaspersky-mdr', url, clientId, tls: { ca } }
  const at = await account([
    { configuration: { id: 'mdr-prod', ...options }, enroll: { refreshToken } },
    { configuration: { id: 'mdr-test', ...options } },
  ])
  vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'rotator-mdr')
  const printed = captured()
  /** What has been written since it was last asked. */
  const written = () => {
    const values = metricsIn(printed.text)
    printed.text = ''
    return values
  }
  return { simulator, ...at, printed, written }
}

const prod = { vendor: 'kaspersky-mdr', connection: 'mdr-prod' }
const named = (values: readonly Written[], name: string) =>
  values.filter((value) => value.namespace === 'TokenRotator' && value.name === name)

describe('a tick', () => {
  test('measures every connection, also where nothing is due', async () => {
    const { written } = await deployed()
    const handler = createHandler(kasperskyMdr)
    await handler({}, context)
    written()
    expect(await handler({}, context)).toEqual({ outcomes: [] })
    const values = written()
    const standing = values.filter(({ of }) => of.connection === 'mdr-prod')
    expect(standing.map(({ name, unit, of }) => [name, unit, of])).toEqual([
      ['SecondsToExpiry', 'Seconds', prod],
      ['SecondsToStale', 'Seconds', prod],
      ['RefreshSecondsToExpiry', 'Seconds', prod],
      ['TokenAtRisk', 'Count', prod],
      ['EnrollmentRequired', 'Count', prod],
      ['VersionBudgetLeft', 'Count', prod],
    ])
    const [left] = named(values, 'SecondsToExpiry')
    expect(left?.value).toBeGreaterThan(3300)
    expect(left?.value).toBeLessThanOrEqual(3600)
    expect(named(values, 'EnrollmentRequired').map(({ of }) => of.connection)).toEqual([
      'mdr-prod',
      'mdr-test',
    ])
    expect(named(values, 'Ticks')).toEqual([
      {
        namespace: 'TokenRotator',
        name: 'Ticks',
        unit: 'Count',
        of: { function: 'rotator-mdr' },
        value: 1,
      },
    ])
  })

  test('counts each run by its code, and times those that rotate', async () => {
    const { written } = await deployed()
    await createHandler(kasperskyMdr)({}, context)
    const values = written()
    expect(named(values, 'Outcome').map(({ of, value }) => [of, value])).toEqual(
      expect.arrayContaining([
        [{ ...prod, code: 'rotated' }, 1],
        [{ ...prod, connection: 'mdr-test', code: 'unenrolled' }, 1],
      ]),
    )
    const durations = named(values, 'RotationDuration')
    expect(durations).toEqual([
      {
        namespace: 'TokenRotator',
        name: 'RotationDuration',
        unit: 'Seconds',
        of: prod,
        value: expect.any(Number),
      },
    ])
    expect(durations[0]?.value).toBeGreaterThan(0)
  })

  test('measures that a person is needed until that is over, not only when it happens', async () => {
    const { simulator, written } = await deployed()
    simulator.inject({ kind: 'refuse' })
    const handler = createHandler(kasperskyMdr)
    for (const codes of [['ERR_GRANT_REFUSED', 'unenrolled'], []]) {
      await handler({}, context)
      const values = written()
      expect(
        named(values, 'Outcome')
          .map(({ of }) => of.code)
          .sort(),
      ).toEqual(codes)
      const needed = named(values, 'EnrollmentRequired').map(({ of, value }) => [
        of.connection,
        value,
      ])
      expect(needed).toEqual([
        ['mdr-prod', 1],
        ['mdr-test', 0],
      ])
    }
  })

  test('counts its calls to AWS as the embedded endpoint counts them, by their quota', async () => {
    const { endpoint, written } = await deployed()
    const before = endpoint.calls()
    await createHandler(kasperskyMdr)({}, context)
    const since = (...operations: string[]) =>
      operations.reduce((sum, name) => sum + (endpoint.calls()[name] ?? 0) - (before[name] ?? 0), 0)
    const counted = named(written(), 'AwsCalls').map(({ of, value }) => [of.quota, value])
    expect(Object.fromEntries(counted)).toEqual({
      'secret-writes': since('PutSecretValue', 'UpdateSecretVersionStage'),
      'secret-reads': since('GetSecretValue', 'DescribeSecret'),
      parameters: since('GetParameter', 'PutParameter', 'DeleteParameter'),
      ledger: since('GetItem', 'PutItem', 'Query'),
      events: since('PutEvents'),
    })
    const all = Object.values(endpoint.calls()).reduce((sum, count) => sum + count, 0)
    const earlier = Object.values(before).reduce((sum, count) => sum + count, 0)
    expect(counted.reduce((sum, [, value]) => sum + Number(value), 0)).toBe(all - earlier)
  })

  test('uses no dimension but vendor, connection, code, function and quota', async () => {
    const { simulator, written } = await deployed()
    simulator.inject({ kind: 'error-503' })
    const handler = createHandler(kasperskyMdr)
    await handler({}, context)
    await handler({}, context)
    const sets = new Set(written().map(({ of }) => Object.keys(of).join(' ')))
    expect([...sets].sort()).toEqual([
      'function',
      'function quota',
      'vendor connection',
      'vendor connection code',
    ])
  })
})

describe('whatever becomes of the measuring', () => {
  test('the rotation is done and the tick counted, and the log says why there is no more', async () => {
    const { endpoint, simulator, printed, written } = await deployed()
    endpoint.inject({ operation: 'Query', skip: 1, kind: 'access-denied', times: 2 })
    expect(await createHandler(kasperskyMdr)({}, context)).toMatchObject({
      outcomes: [{ outcome: 'rotated' }, { outcome: 'unenrolled' }],
    })
    expect(simulator.counters().spends).toBe(1)
    const log = printed.text.split('\n').find((line) => line.includes('"survey"'))
    expect(JSON.parse(log ?? '{}')).toMatchObject({
      level: 'WARN',
      error: { code: 'ERR_STORE', message: 'Query failed with AccessDeniedException' },
    })
    const values = written()
    expect(named(values, 'SecondsToExpiry')).toEqual([])
    expect(named(values, 'Ticks')).toHaveLength(1)
    expect(named(values, 'Outcome')).toHaveLength(2)
  })

  test('nothing is asked of the ledger any more when the function is about to be ended', async () => {
    const { endpoint } = await deployed()
    const late = { getRemainingTimeInMillis: () => 15_000 }
    await createHandler(kasperskyMdr)({}, late)
    expect(endpoint.calls().Query).toBe(1)
  })

  test('nothing is asked of the ledger, nor written, if no metrics are wanted', async () => {
    const { endpoint, written } = await deployed()
    vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'true')
    await createHandler(kasperskyMdr)({}, context)
    expect(endpoint.calls().Query).toBe(1)
    expect(written()).toEqual([])
  })

  test('an item that somebody has spoilt hides itself alone, and a stranger is not measured', async () => {
    const { endpoint, ledger, written } = await deployed()
    const handler = createHandler(kasperskyMdr)
    await handler({}, context)
    const [item] = await ledger()
    const dynamo = connect(endpoint, DynamoDBClient)
    const put = (change: object) =>
      dynamo.send(
        new PutItemCommand({
          TableName: 'token-rotator-ledger',
          Item: marshall({ ...item, ...change }),
        }),
      )
    await put({ connection: 'mdr-test', attempts: 'many', dueAt: '2999-01-01T00:00:00.000Z' })
    await put({ connection: 'mdr-gone', dueAt: '2999-01-01T00:00:00.000Z' })
    written()
    await handler({}, context)
    expect(named(written(), 'VersionBudgetLeft').map(({ of }) => of.connection)).toEqual([
      'mdr-prod',
    ])
  })
})
