import { beforeAll, describe, expect, test } from 'vitest'
import { faults } from './faults.ts'
import { type Case, nameOf, patience, playCases, services } from './legs.ts'
import { randomFrom } from './random.ts'

const random = randomFrom('the embedded endpoint')

/** Calls of a service in the first two runs of a connection; any of them may be the first that is struck. */
const calls = { secretsmanager: 6, AmazonSSM: 2, DynamoDB_20120810: 5, AWSEvents: 1 } as const

/** One case per fault and service. Three calls in a row are struck: the SDK's own second try is not enough. */
const cases = faults.flatMap((fault) =>
  services.map((service): Case & { fault: typeof fault; service: typeof service } => {
    // Each call that drips costs its whole time limit.
    const times = fault === 'drip' ? 1 : 3
    return { demo: 'mdr-demo', fault, service, skip: Math.floor(random() * calls[service]), times }
  }),
)

const legs = [
  { how: 'spoilt', cases: cases.filter(({ fault }) => fault !== 'drip') },
  { how: 'slower than any patience', cases: cases.filter(({ fault }) => fault === 'drip') },
]

describe.each(legs)('calls to AWS whose answers are $how', ({ cases: some }) => {
  let played: Awaited<ReturnType<typeof playCases>>
  beforeAll(async () => {
    played = await playCases(some, patience.ample)
  }, 180_000)

  test.each(some)('cost nothing: $fault at $service, after $skip calls', (one) => {
    expect(played.stories.get(nameOf(one))).toMatchObject({
      isFresh: true,
      enrollments: [],
      probes: 0,
      doubleSpends: 0,
      holdsNewest: true,
    })
  })

  test('no token was presented twice', () => {
    expect(played.presentedTwice).toBe(0)
  })
})
