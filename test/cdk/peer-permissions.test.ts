import { App, Stack } from 'aws-cdk-lib'
import { expect, test } from 'vitest'
import { peerPermissions, regionsVariable } from '../../lib/cdk/peer-permissions.ts'

const env = { account: '123456789012', region: 'eu-central-1' }

test('a function may ask for leave and fetch a pair in the other regions, of its own connections', () => {
  const stack = new Stack(new App(), 'Rotator', { env })
  const statements = peerPermissions(stack, {
    vendor: 'kaspersky-mdr',
    connections: ['mdr-prod'],
    ledgerTable: 'token-rotator-ledger',
    peers: ['eu-west-1'],
  }).map((statement) => stack.resolve(statement.toStatementJson()))
  expect(statements).toEqual([
    {
      Effect: 'Allow',
      Action: ['dynamodb:GetItem', 'dynamodb:PutItem'],
      Resource: {
        'Fn::Join': [
          '',
          [
            'arn:',
            { Ref: 'AWS::Partition' },
            ':dynamodb:eu-west-1:123456789012:table/token-rotator-ledger',
          ],
        ],
      },
      Condition: {
        'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['kaspersky-mdr'] },
        Null: { 'dynamodb:LeadingKeys': 'false' },
      },
    },
    expect.objectContaining({ Action: 'secretsmanager:GetSecretValue' }),
    expect.objectContaining({ Action: 'ssm:GetParameter' }),
  ])
  const text = JSON.stringify(statements)
  expect(text).toContain(
    ':secretsmanager:eu-west-1:123456789012:secret:token-rotator/mdr-prod/enrollment-??????',
  )
  expect(text).toContain(':ssm:eu-west-1:123456789012:parameter/token-rotator/mdr-prod/escrow')
  expect(text).not.toContain('eu-central-1')
})

test('one region alone is told nothing of regions', () => {
  expect(regionsVariable(['eu-central-1'])).toEqual({})
  expect(regionsVariable(['eu-central-1', 'eu-west-1'])).toEqual({
    TOKEN_ROTATOR_REGIONS: 'eu-central-1,eu-west-1',
  })
})
