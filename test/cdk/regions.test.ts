import { Template } from 'aws-cdk-lib/assertions'
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { describe, expect, test } from 'vitest'
import { enrolling } from '../../lib/cdk/enroll-role.ts'
import { roleName } from '../../lib/cdk/peer-permissions.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { account, Deployed } from './deployed.ts'
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

  test('names the roles of its functions and of those who enroll, and lets the same ones of the other region read what they take over', () => {
    const names = Object.values(resourcesOf(stack, 'AWS::IAM::Role')).map(
      ({ Properties }) => Properties.RoleName,
    )
    expect(names.filter(Boolean).sort()).toEqual([
      'token-rotator-cisco-ftd-eu-west-1',
      'token-rotator-enroll-eu-west-1',
      'token-rotator-kaspersky-mdr-eu-west-1',
    ])
    const policies = JSON.stringify(resourcesOf(stack, 'AWS::SecretsManager::ResourcePolicy'))
    // Two of the three connections are of this vendor: each has an enrollment secret that is read and
    // written there once it has taken over, and a consumer secret that is written.
    expect(policies.split(':role/token-rotator-kaspersky-mdr-eu-central-1').length - 1).toBe(6)
    expect(policies.split(':role/token-rotator-cisco-ftd-eu-central-1').length - 1).toBe(3)
  })

  test('reaches the other ledger and the other secrets of its own connections, and the replica in the place of its own', () => {
    const found = Object.values(resourcesOf(stack, 'AWS::IAM::Policy')).map(({ Properties }) =>
      JSON.stringify(Properties.PolicyDocument),
    )
    const mdr = found.find((text) => text.includes(':table/token-rotator-ledger')) ?? ''
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

describe('an enrollment secret, which a replica that is promoted brings the policy of along,', () => {
  const first = rotatorStack({ regions })
  const operator = new Role(first, 'Operator', {
    roleName: 'Operator',
    assumedBy: new AccountPrincipal(account),
  })
  first.rotator.connection('mdr-prod').grantEnroll(operator)
  const deployed = new Deployed(first)
  const enrollment = deployed.arn(
    'AWS::SecretsManager::Secret',
    ({ Name }) => Name === 'token-rotator/mdr-prod/enrollment',
  )
  const all = [
    { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
  ]
  /** Whether nothing but a denial could keep a role from writing it. */
  const writes = async (role: string) => {
    const principal = { arn: `arn:aws:iam::${account}:role/${role}`, policies: all }
    const may = (action: string) =>
      deployed.allows(principal, `secretsmanager:${action}`, enrollment)
    return [await may('PutSecretValue'), await may('UpdateSecretVersionStage')]
  }

  test('is written by the functions of its vendor in every region, and by no other function', async () => {
    for (const region of regions) {
      expect(await writes(`token-rotator-kaspersky-mdr-${region}`)).toEqual([true, true])
      expect(await writes(`token-rotator-cisco-ftd-${region}`)).toEqual([false, false])
    }
  })

  test('is enrolled by the role of those who enroll in every region, and by no other of such a name', async () => {
    for (const region of regions) {
      expect(await writes(`token-rotator-enroll-${region}`)).toEqual([true, true])
    }
    expect(await writes('token-rotator-enroll-us-east-1')).toEqual([false, false])
  })

  test('is written by its operators, in the place of another secret as well', async () => {
    expect(await writes('Operator')).toEqual([true, true])
    const own = deployed.role(
      deployed.ids('AWS::IAM::Role').find((id) => /^Operator/.test(id)) ?? '',
    )
    const may = (arn: string) => deployed.allows(own, 'secretsmanager:PutSecretValue', arn)
    expect(await may(enrollment.replace(/AbCdEf$/, 'GhIjKl'))).toBe(true)
    expect(await may(enrollment.replace(/AbCdEf$/, 'other-GhIjKl'))).toBe(false)
  })
})

test('one region alone names no role, and grants nothing by a pattern', () => {
  const alone = rotatorStack({ regions: [env.region] })
  const has = (type: string, text: string) =>
    JSON.stringify(resourcesOf(alone, type)).includes(text)
  expect(has('AWS::Lambda::Function', 'TOKEN_ROTATOR_REGIONS')).toBe(false)
  expect(has('AWS::IAM::Policy', '-??????')).toBe(false)
  expect(has('AWS::IAM::Role', '"RoleName"')).toBe(false)
})

test('no vendor has the id that stands in the name of the role of those who enroll', () => {
  for (const id of Object.keys(vendors)) {
    expect([roleName(id, env.region), roleName(`${id}-vpc`, env.region)]).not.toContain(
      roleName(enrolling, env.region),
    )
  }
})
