import { SSM } from '@aws-sdk/client-ssm'
import { describe, expect, test } from 'vitest'
import { connect, setUp } from './setup.ts'

const Name = '/token-rotator/escrow/ftd-hq'

async function setUpParameters() {
  const { endpoint, raw } = await setUp()
  return { raw, parameters: connect(endpoint, SSM) }
}

describe('PutParameter', () => {
  test('counts versions up, and overwrites only when told to', async () => {
    const { parameters } = await setUpParameters()
    const put = (Value: string, Overwrite?: boolean) =>
      parameters.putParameter({ Name, Value, Type: 'String', ...(Overwrite ? { Overwrite } : {}) })
    expect(await put('one')).toMatchObject({ Version: 1, Tier: 'Standard' })
    await expect(put('two')).rejects.toMatchObject({ name: 'ParameterAlreadyExists' })
    expect(await put('two', true)).toMatchObject({ Version: 2 })
    expect((await parameters.getParameter({ Name })).Parameter).toMatchObject({ Value: 'two' })
  })

  test('takes 4 KB in the standard tier and 8 KB in the advanced one', async () => {
    const { parameters } = await setUpParameters()
    const put = (Tier: 'Standard' | 'Advanced' | 'Intelligent-Tiering', bytes: number) =>
      parameters.putParameter({
        Name,
        Value: 'x'.repeat(bytes),
        Type: 'String',
        Overwrite: true,
        Tier,
      })
    expect(await put('Intelligent-Tiering', 4096)).toMatchObject({ Tier: 'Standard' })
    await expect(put('Standard', 4097)).rejects.toMatchObject({ name: 'ValidationException' })
    expect(await put('Intelligent-Tiering', 4097)).toMatchObject({ Tier: 'Advanced' })
    expect(await put('Advanced', 8192)).toMatchObject({ Tier: 'Advanced' })
    await expect(put('Advanced', 8193)).rejects.toMatchObject({ name: 'ValidationException' })
    // There is no way back.
    await expect(put('Standard', 1)).rejects.toMatchObject({ name: 'ValidationException' })
  })

  test('stays advanced once it is, when no tier is given', async () => {
    const { parameters } = await setUpParameters()
    await parameters.putParameter({ Name, Value: 'x', Type: 'String', Tier: 'Advanced' })
    expect(await parameters.putParameter({ Name, Value: 'y', Overwrite: true })).toMatchObject({
      Tier: 'Advanced',
    })
  })

  test.each([
    ['no type for a new parameter', { Name, Value: 'x' }],
    ['an empty value', { Name, Value: '', Type: 'String' as const }],
    ['a name that begins with aws', { Name: '/aws/x', Value: 'x', Type: 'String' as const }],
    ['a name with a space', { Name: '/a b', Value: 'x', Type: 'String' as const }],
    [
      'a path that does not begin with a slash',
      { Name: 'a/b', Value: 'x', Type: 'String' as const },
    ],
    [
      'tags when overwriting',
      {
        Name,
        Value: 'x',
        Type: 'String' as const,
        Overwrite: true,
        Tags: [{ Key: 'a', Value: 'b' }],
      },
    ],
  ])('refuses %s with ValidationException', async (_, request) => {
    const { parameters } = await setUpParameters()
    await expect(parameters.putParameter(request)).rejects.toMatchObject({
      name: 'ValidationException',
    })
  })

  test('refuses to change the type', async () => {
    const { parameters } = await setUpParameters()
    await parameters.putParameter({ Name, Value: 'x', Type: 'SecureString' })
    await expect(
      parameters.putParameter({ Name, Value: 'x', Type: 'String', Overwrite: true }),
    ).rejects.toMatchObject({ name: 'HierarchyTypeMismatchException' })
  })
})

describe('GetParameter', () => {
  test('finds the last 100 versions', async () => {
    const { raw, parameters } = await setUpParameters()
    for (let n = 1; n <= 101; n += 1) {
      await raw('AmazonSSM.PutParameter', { Name, Value: `${n}`, Type: 'String', Overwrite: true })
    }
    const get = async (version: number) =>
      (await parameters.getParameter({ Name: `${Name}:${version}` })).Parameter?.Value
    expect([await get(2), await get(101)]).toEqual(['2', '101'])
    await expect(get(1)).rejects.toMatchObject({ name: 'ParameterVersionNotFound' })
  })

  test('shows a SecureString only to those who ask for decryption', async () => {
    const { parameters } = await setUpParameters()
    await parameters.putParameter({ Name, Value: 'canary', Type: 'SecureString' })
    const open = await parameters.getParameter({ Name, WithDecryption: true })
    expect(open.Parameter).toMatchObject({ Type: 'SecureString', Value: 'canary' })
    const sealed = await parameters.getParameter({ Name })
    expect(sealed.Parameter?.Value).toMatch(/^AQICAH[A-Za-z0-9+/=]{100,}$/)
  })

  test('reads by name, ARN and version', async () => {
    const { parameters } = await setUpParameters()
    await parameters.putParameter({ Name, Value: 'one', Type: 'String' })
    await parameters.putParameter({ Name, Value: 'two', Overwrite: true })
    const get = async (by: string) => (await parameters.getParameter({ Name: by })).Parameter
    const ARN = `arn:aws:ssm:us-east-1:123456789012:parameter${Name}`
    expect(await get(Name)).toMatchObject({ ARN, Value: 'two', Version: 2, DataType: 'text' })
    expect(await get(ARN)).toMatchObject({ Value: 'two' })
    expect(await get(`${Name}:1`)).toMatchObject({ Value: 'one', Version: 1, Selector: ':1' })
    await expect(get(`${Name}:3`)).rejects.toMatchObject({ name: 'ParameterVersionNotFound' })
    await expect(get('/nothing')).rejects.toMatchObject({ name: 'ParameterNotFound' })
  })

  test('tells a name with a leading slash from the same name without', async () => {
    const { parameters } = await setUpParameters()
    await parameters.putParameter({ Name: 'plain', Value: 'x', Type: 'String' })
    await expect(parameters.getParameter({ Name: '/plain' })).rejects.toMatchObject({
      name: 'ParameterNotFound',
    })
    expect(
      (
        await parameters.getParameter({
          Name: 'arn:aws:ssm:us-east-1:123456789012:parameter/plain',
        })
      ).Parameter,
    ).toMatchObject({ Name: 'plain' })
  })
})

test('GetParameters gives what exists and names what does not', async () => {
  const { parameters } = await setUpParameters()
  await parameters.putParameter({ Name, Value: 'x', Type: 'String' })
  const answer = await parameters.getParameters({ Names: [Name, '/nothing'] })
  expect(answer.Parameters).toMatchObject([{ Name, Value: 'x' }])
  expect(answer.InvalidParameters).toEqual(['/nothing'])
})

test('GetParametersByPath gives one level or all, page by page', async () => {
  const { parameters } = await setUpParameters()
  for (const each of ['/a/one', '/a/two', '/a/deep/three', '/ab/four']) {
    await parameters.putParameter({ Name: each, Value: 'x', Type: 'String' })
  }
  const names = async (request: {
    Recursive?: boolean
    MaxResults?: number
    NextToken?: string
  }) => {
    const answer = await parameters.getParametersByPath({ Path: '/a', ...request })
    return { names: answer.Parameters?.map((each) => each.Name), token: answer.NextToken }
  }
  expect((await names({})).names).toEqual(['/a/one', '/a/two'])
  expect((await names({ Recursive: true })).names).toEqual(['/a/deep/three', '/a/one', '/a/two'])
  const { names: first, token = '' } = await names({ MaxResults: 1 })
  expect(first).toEqual(['/a/one'])
  expect(await names({ MaxResults: 1, NextToken: token })).toEqual({ names: ['/a/two'] })
})

test('DeleteParameter removes it once', async () => {
  const { parameters } = await setUpParameters()
  await parameters.putParameter({ Name, Value: 'x', Type: 'String' })
  await parameters.deleteParameter({ Name })
  await expect(parameters.getParameter({ Name })).rejects.toMatchObject({
    name: 'ParameterNotFound',
  })
  await expect(parameters.deleteParameter({ Name })).rejects.toMatchObject({
    name: 'ParameterNotFound',
  })
})
