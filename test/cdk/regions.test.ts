import { Template } from 'aws-cdk-lib/assertions'
import { describe, expect, test } from 'vitest'
import { env, resourcesOf, rotatorStack } from './synthesis.ts'

const regions = ['eu-central-1', 'eu-west-1']
const stack = rotatorStack({ regions })

describe('an installation in two regions', () => {
  test('tells its functions of all regions, the one at work at first before the others', () => {
    for (const vendor of ['kaspersky-mdr', 'cisco-ftd']) {
      Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
        Handler: `${vendor}.handler`,
        Environment: { Variables: { TOKEN_ROTATOR_REGIONS: 'eu-central-1,eu-west-1' } },
      })
    }
  })

  test('names the roles of its functions, and lets the same ones of the other region read what they take over', () => {
    const names = Object.values(resourcesOf(stack, 'AWS::IAM::Role')).map(
      ({ Properties }) => Properties.RoleName,
    )
    expect(names.filter(Boolean).sort()).toEqual([
      'token-rotator-cisco-ftd-eu-west-1',
      'token-rotator-kaspersky-mdr-eu-west-1',
    ])
    const policies = JSON.stringify(resourcesOf(stack, 'AWS::SecretsManager::ResourcePolicy'))
    // Two of the three connections are of this vendor: each has an enrollment secret that is read there,
    // and a consumer secret that is written there once it has taken over.
    expect(policies.split(':role/token-rotator-kaspersky-mdr-eu-central-1').length - 1).toBe(6)
    expect(policies.split(':role/token-rotator-cisco-ftd-eu-central-1').length - 1).toBe(3)
  })

  test('reaches the other ledger and the other secrets of its own connections, and the replica in the place of its own', () => {
    const found = Object.values(resourcesOf(stack, 'AWS::IAM::Policy')).map(({ Properties }) =>
      JSON.stringify(Properties.PolicyDocument),
    )
    const mdr = found.find((text) => text.includes('mdr-prod/escrow')) ?? ''
    for (const part of [
      ':dynamodb:eu-central-1:111122223333:table/token-rotator-ledger',
      ':secretsmanager:eu-central-1:111122223333:secret:token-rotator/mdr-prod/enrollment-??????',
      ':ssm:eu-central-1:111122223333:parameter/token-rotator/mdr-prod/escrow',
      ':secretsmanager:eu-west-1:111122223333:secret:token-rotator/mdr-prod/enrollment-??????',
      ':secretsmanager:eu-west-1:111122223333:secret:token-rotator/mdr-prod/access-token-??????',
    ]) {
      expect(mdr).toContain(part)
    }
    expect(mdr).not.toContain('ftd-hq')
  })

  test.each([[['eu-central-1']], [['eu-west-1', 'eu-west-1']], [[]]])(
    'does not take %j for its list',
    (list) => {
      expect(() => rotatorStack({ regions: list })).toThrow(
        `regions: found ${list.join(', ') || 'none'} in eu-west-1; allowed is every region of the installation, each once, with that of the stack among them`,
      )
    },
  )
})

test('one region alone names no role, and grants nothing by a pattern', () => {
  const alone = rotatorStack({ regions: [env.region] })
  const has = (type: string, text: string) =>
    JSON.stringify(resourcesOf(alone, type)).includes(text)
  expect(has('AWS::Lambda::Function', 'TOKEN_ROTATOR_REGIONS')).toBe(false)
  expect(has('AWS::IAM::Policy', '-??????')).toBe(false)
  expect(has('AWS::IAM::Role', '"RoleName"')).toBe(false)
})
