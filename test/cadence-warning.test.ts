import { Annotations, Match } from 'aws-cdk-lib/assertions'
import { expect, test, vi } from 'vitest'
import { rotatorStack } from './cdk/synthesis.ts'

vi.mock(import('../lib/vendors/index.ts'), async (original) => {
  const { vendors } = await original()
  const mild = Object.entries(vendors).map(([id, vendor]) => [
    id,
    { ...vendor, spends: () => 'nothing' },
  ])
  return { vendors: Object.fromEntries(mild) }
})

test('a cadence that AWS may refuse is allowed to a vendor that spends nothing, with a warning', () => {
  // CDK prints the warning as well.
  vi.spyOn(console, 'error').mockReturnValue()
  const stack = rotatorStack({
    connections: [
      { id: 'mdr-prod', vendor: 'kaspersky-mdr', renew: { everySeconds: 700 } },
      { id: 'mdr-test', vendor: 'kaspersky-mdr', renew: { everySeconds: 900 } },
    ],
  })
  const warnings = Annotations.fromStack(stack).findWarning('*', Match.anyValue())
  expect(warnings.map(({ entry }) => entry.data)).toEqual([
    expect.stringContaining(
      'connections[0].renew.everySeconds: found 700, that is 124 versions a day (86400 / 700)',
    ),
  ])
})
