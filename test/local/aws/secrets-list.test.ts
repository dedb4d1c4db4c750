import type { ListSecretsRequest } from '@aws-sdk/client-secrets-manager'
import { describe, expect, test } from 'vitest'
import { setUp } from './setup.ts'

async function setUpList() {
  const world = await setUp()
  const { secrets, wait } = world
  const make = async (Name: string, Description: string, Key: string, Value: string) => {
    await secrets.createSecret({ Name, Description, Tags: [{ Key, Value }] })
    wait(60)
  }
  await make('soc/ftd-hq', 'Firewall of the head office', 'vendor', 'cisco-ftd')
  await make('soc/mdrProd', 'one and two', 'vendor', 'kaspersky-mdr')
  await make('app/database', 'one', 'Team', 'soc')
  const list = async (request: ListSecretsRequest) =>
    (await secrets.listSecrets(request)).SecretList?.map(({ Name }) => Name)
  const filtered = (Key: string, ...Values: string[]) =>
    list({ Filters: [{ Key, Values }] } as ListSecretsRequest)
  return { ...world, list, filtered }
}

describe('a filter', () => {
  test.each([
    ['name', ['soc/'], ['soc/ftd-hq', 'soc/mdrProd']],
    ['name', ['SOC/'], []],
    ['name', ['ftd'], []],
    ['name', ['soc/f', 'app'], ['soc/ftd-hq', 'app/database']],
    ['name', ['!soc/'], ['app/database']],
    ['tag-key', ['ven'], ['soc/ftd-hq', 'soc/mdrProd']],
    ['tag-key', ['team'], []],
    ['tag-key', ['!vendor'], ['app/database']],
    ['tag-value', ['cisco'], ['soc/ftd-hq']],
    ['tag-value', ['Cisco'], []],
    ['description', ['FIREWALL'], ['soc/ftd-hq']],
    ['description', ['one two'], ['soc/mdrProd']],
    ['description', ['!one'], ['soc/ftd-hq']],
    ['primary-region', ['us-'], ['soc/ftd-hq', 'soc/mdrProd', 'app/database']],
    ['primary-region', ['eu-'], []],
    ['owning-service', ['rds'], []],
    ['owning-service', ['!rds'], ['soc/ftd-hq', 'soc/mdrProd', 'app/database']],
    ['all', ['Soc'], ['soc/ftd-hq', 'soc/mdrProd', 'app/database']],
    ['all', ['prod'], ['soc/mdrProd']],
    ['all', ['hq'], ['soc/ftd-hq']],
    ['all', ['office'], ['soc/ftd-hq']],
    ['all', ['ffice'], []],
  ])('on %s by %j gives %j', async (key, values, names) => {
    const { filtered } = await setUpList()
    expect(await filtered(key, ...values)).toEqual(names)
  })

  test('narrows what the others leave', async () => {
    const { list } = await setUpList()
    const Filters: ListSecretsRequest['Filters'] = [
      { Key: 'name', Values: ['soc/'] },
      { Key: 'description', Values: ['one'] },
    ]
    expect(await list({ Filters })).toEqual(['soc/mdrProd'])
  })

  test.each([
    ['without key', { Values: ['x'] }, 'InvalidParameterException', /^Invalid filter key$/],
    ['without values', { Key: 'name' }, 'InvalidParameterException', /key: name$/],
    [
      'of another key',
      { Key: 'colour', Values: ['x'] },
      'ValidationException',
      /\[description, name, /,
    ],
  ])('%s is refused', async (_, filter, name, message) => {
    const { raw } = await setUpList()
    const answer = await raw('secretsmanager.ListSecrets', { Filters: [filter] })
    const error = await answer.json()
    expect(error).toMatchObject({ __type: name, Message: expect.stringMatching(message) })
  })
})

describe('ListSecrets', () => {
  test('gives secrets by creation, the oldest first, or as asked', async () => {
    const { list } = await setUpList()
    const created = ['soc/ftd-hq', 'soc/mdrProd', 'app/database']
    expect(await list({})).toEqual(created)
    expect(await list({ SortOrder: 'desc' })).toEqual(created.toReversed())
    expect(await list({ SortBy: 'name' })).toEqual(['app/database', 'soc/ftd-hq', 'soc/mdrProd'])
  })

  test('can sort by the last change', async () => {
    const { secrets, list } = await setUpList()
    await secrets.putSecretValue({ SecretId: 'soc/ftd-hq', SecretString: 'x' })
    expect(await list({ SortBy: 'last-changed-date' })).toEqual([
      'soc/mdrProd',
      'app/database',
      'soc/ftd-hq',
    ])
  })

  test('gives page after page', async () => {
    const { secrets } = await setUpList()
    const first = await secrets.listSecrets({ MaxResults: 2 })
    expect(first.SecretList?.map(({ Name }) => Name)).toEqual(['soc/ftd-hq', 'soc/mdrProd'])
    const second = await secrets.listSecrets({ MaxResults: 2, NextToken: first.NextToken })
    expect(second.SecretList?.map(({ Name }) => Name)).toEqual(['app/database'])
    expect(second).not.toHaveProperty('NextToken')
  })

  test('refuses a token that it did not give', async () => {
    const { list } = await setUpList()
    await expect(list({ NextToken: 'invented' })).rejects.toMatchObject({
      name: 'InvalidNextTokenException',
    })
  })

  test('hides secrets that await deletion unless they are asked for', async () => {
    const { secrets, list } = await setUpList()
    await secrets.deleteSecret({ SecretId: 'soc/ftd-hq' })
    expect(await list({})).toEqual(['soc/mdrProd', 'app/database'])
    expect(await list({ IncludePlannedDeletion: true })).toEqual([
      'soc/ftd-hq',
      'soc/mdrProd',
      'app/database',
    ])
  })

  test('shows labels and no value', async () => {
    const { secrets } = await setUpList()
    await secrets.putSecretValue({ SecretId: 'app/database', SecretString: 'canary' })
    const listed = await secrets.listSecrets({ Filters: [{ Key: 'name', Values: ['app'] }] })
    expect(Object.values(listed.SecretList?.[0]?.SecretVersionsToStages ?? {})).toEqual([
      ['AWSCURRENT'],
    ])
    expect(JSON.stringify(listed)).not.toContain('canary')
  })
})
