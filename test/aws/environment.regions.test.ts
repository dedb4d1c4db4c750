import { describe, expect, test } from 'vitest'
import { readRegions } from '../../lib/aws/environment.ts'

describe('TOKEN_ROTATOR_REGIONS', () => {
  test('names the region that is at work first, in every region alike', () => {
    const list = 'eu-central-1, eu-west-1'
    expect(readRegions(list, 'eu-central-1')).toEqual({
      own: 'eu-central-1',
      first: 'eu-central-1',
      peers: [{ region: 'eu-west-1' }],
    })
    expect(readRegions(list, 'eu-west-1')).toEqual({
      own: 'eu-west-1',
      first: 'eu-central-1',
      peers: [{ region: 'eu-central-1' }],
    })
  })

  test('may say where a region’s services are', () => {
    expect(readRegions('eu-central-1,us-gov-west-1=http://127.0.0.1:4567', 'eu-central-1')).toEqual(
      expect.objectContaining({
        peers: [{ region: 'us-gov-west-1', endpoint: 'http://127.0.0.1:4567' }],
      }),
    )
  })

  test.each([undefined, '', ' '])('%j means that there is one region', (list) => {
    expect(readRegions(list, 'eu-central-1')).toBeUndefined()
  })

  test.each([
    ['eu-west-1', 'eu-central-1', 'without the region that this is (eu-central-1)'],
    ['eu-west-1', undefined, 'AWS_REGION is not set'],
    ['eu-central-1,,eu-west-1', 'eu-central-1', 'allowed are names of regions'],
    ['eu-central-1;eu-west-1', 'eu-central-1', 'allowed are names of regions'],
    ['eu-central-1,eu-central-1', 'eu-central-1', 'allowed is each once'],
  ])('%j in %s is an error that says what is allowed', (list, own, message) => {
    expect(() => readRegions(list, own)).toThrow(message)
  })
})
