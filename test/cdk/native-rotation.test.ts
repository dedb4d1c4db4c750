import { describe, expect, test } from 'vitest'
import { connections, type Resource, resourcesOf, rotatorStack } from './synthesis.ts'
import { vpc } from './vpc.ts'

const stack = rotatorStack()
const secrets = resourcesOf(stack, 'AWS::SecretsManager::Secret')
const functions = resourcesOf(stack, 'AWS::Lambda::Function')
const schedules = Object.values(resourcesOf(stack, 'AWS::SecretsManager::RotationSchedule'))
const permissions = resourcesOf(stack, 'AWS::Lambda::Permission')
const policies = resourcesOf(stack, 'AWS::IAM::Policy')

const nameOf = ({ Properties }: Resource) => secrets[Properties.SecretId.Ref]?.Properties.Name
const handlerOf = (arn: { 'Fn::GetAtt': [string, string] }) =>
  functions[arn['Fn::GetAtt'][0]]?.Properties.Handler

describe('native rotation', () => {
  test('is configured on every consumer secret, by its own vendor, and on no enrollment secret', () => {
    const configured = schedules.map((schedule) => [
      nameOf(schedule),
      handlerOf(schedule.Properties.RotationLambdaARN),
    ])
    const wanted = connections.map(({ id, vendor }) => [
      `token-rotator/${id}/access-token`,
      `${vendor}.handler`,
    ])
    expect(configured.sort()).toEqual(wanted.sort())
  })

  test('renews nothing when it is deployed, and wants a rotation within what auditors allow', () => {
    for (const { Properties } of schedules) {
      expect(Properties.RotateImmediatelyOnUpdate).toBe(false)
      expect(Properties.RotationRules).toEqual({ AutomaticallyAfterDays: 30 })
    }
  })

  test('is told of a function that it may invoke by then, and that may do its work', () => {
    for (const { Properties, DependsOn } of schedules) {
      const [lambda] = Properties.RotationLambdaARN['Fn::GetAtt']
      const permission = Object.keys(permissions).find(
        (id) => permissions[id]?.Properties.FunctionName['Fn::GetAtt'][0] === lambda,
      )
      const role = functions[lambda]?.Properties.Role['Fn::GetAtt'][0]
      const policy = Object.keys(policies).find((id) =>
        policies[id]?.Properties.Roles.some(({ Ref }: { Ref: string }) => Ref === role),
      )
      expect(DependsOn).toEqual(expect.arrayContaining([permission, policy]))
    }
  })

  test('stays configured when a connection moves to another function: it is changed, not replaced', () => {
    const type = 'AWS::SecretsManager::RotationSchedule'
    const moved = resourcesOf(rotatorStack({ vpc: vpc() }), type)
    expect(Object.keys(moved).sort()).toEqual(Object.keys(resourcesOf(stack, type)).sort())
    for (const [id, { Properties }] of Object.entries(resourcesOf(stack, type))) {
      const { RotationLambdaARN: function_, ...same } = Properties
      expect(moved[id]?.Properties).toMatchObject(same)
      expect(moved[id]?.Properties.RotationLambdaARN).not.toEqual(function_)
    }
  })

  test('is left out if it is switched off, and with it what Secrets Manager may do', () => {
    const without = rotatorStack({ nativeRotation: false })
    expect(resourcesOf(without, 'AWS::SecretsManager::RotationSchedule')).toEqual({})
    expect(resourcesOf(without, 'AWS::Lambda::Permission')).toEqual({})
  })

  test('may be set off by this account for its consumer secrets, and by nobody else', () => {
    expect(Object.keys(permissions)).toHaveLength(Object.keys(functions).length)
    for (const { Properties } of Object.values(permissions)) {
      expect(Properties).toMatchObject({
        Action: 'lambda:InvokeFunction',
        Principal: 'secretsmanager.amazonaws.com',
        SourceAccount: '111122223333',
      })
      expect(JSON.stringify(Properties.SourceArn)).toContain(
        ':secretsmanager:eu-west-1:111122223333:secret:token-rotator/*/access-token-??????',
      )
    }
  })
})
