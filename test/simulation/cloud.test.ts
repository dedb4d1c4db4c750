import { describe, expect, test } from 'vitest'
import { newItem } from '../../lib/core/ledger.ts'
import { SimulatedCloud, SimulatedSecret } from './cloud.ts'

const hourMs = 3_600_000
const start = Date.parse('2026-01-01T00:00:00Z')

function secretWith(...ids: readonly string[]): SimulatedSecret {
  const secret = new SimulatedSecret(true)
  for (const versionId of ids) secret.put({ versionId, text: `of ${versionId}` }, 'pending', start)
  return secret
}

describe('a secret', () => {
  test('gives its first version the current label, whatever was asked for', () => {
    expect(secretWith('a', 'b').currentId(start)).toBe('a')
  })

  test('keeps a pending version aside until the label is moved to it', () => {
    const secret = secretWith('a', 'b')
    expect(secret.promote({ from: 'a', to: 'b' }, start + 10)).toBe('promoted')
    expect(secret.read(undefined, start + 10)?.text).toBe('of b')
  })

  test('moves the label only from where it was said to be', () => {
    const secret = secretWith('a', 'b', 'c')
    secret.label('c', start + 5)
    expect(secret.promote({ from: 'a', to: 'b' }, start + 10)).toBe('superseded')
    expect(secret.currentId(start + 10)).toBe('c')
  })

  test('takes a repeated move for the first one', () => {
    const secret = secretWith('a', 'b')
    secret.promote({ from: 'a', to: 'b' }, start + 10)
    expect(secret.promote({ from: 'a', to: 'b' }, start + 20)).toBe('promoted')
  })

  test('refuses to move the label to a version that is not there', () => {
    expect(() => secretWith('a').promote({ from: 'a', to: 'b' }, start)).toThrow('no such version')
  })

  test('takes the same text under a taken id for a repetition, and refuses another one', () => {
    const secret = secretWith('a')
    expect(secret.put({ versionId: 'a', text: 'of a' }, 'pending', start)).toBe('stored')
    expect(secret.put({ versionId: 'a', text: 'other' }, 'pending', start)).toBe('conflict')
    expect(secret.read('a', start)?.text).toBe('of a')
  })

  test('shows a late reader neither the label nor the version that is too new for it', () => {
    const secret = secretWith('a')
    secret.put({ versionId: 'b', text: 'of b' }, 'current', start + 100)
    expect(secret.read(undefined, start + 99)?.versionId).toBe('a')
    expect(secret.read('b', start + 99)).toBeUndefined()
    expect(secret.read(undefined, start + 100)?.versionId).toBe('b')
  })

  const full = (isEnforced: boolean) => {
    const secret = new SimulatedSecret(isEnforced)
    for (let number = 1; number <= 100; number++) {
      secret.put({ versionId: `v${number}`, text: '' }, 'current', start)
    }
    return secret
  }

  test('refuses the 101st version within 24 hours where the quota is enforced', () => {
    const more = { versionId: 'v101', text: '' }
    expect(() => full(true).put(more, 'current', start + 23 * hourMs)).toThrow('LimitExceeded')
    expect(full(true).put(more, 'current', start + 24 * hourMs)).toBe('stored')
  })

  test('lets go of the oldest version at the quota, never of the current one', () => {
    const secret = full(false)
    secret.label('v1', start + 1)
    secret.put({ versionId: 'v101', text: '' }, 'pending', start + 2)
    expect(secret.versions.size).toBe(100)
    expect(secret.read('v1', start + 2)).toBeDefined()
    expect(secret.read('v2', start + 2)).toBeUndefined()
  })
})

describe('the ledger', () => {
  const owner = { vendor: 'example', connection: 'example-1' }
  const first = { ...newItem(owner, new Date(start)), revision: 1, writer: 'run-1#1' }

  test('takes a write that follows the one it names, and no other', () => {
    const cloud = new SimulatedCloud()
    expect(cloud.write(first)).toBe('written')
    expect(cloud.write({ ...first, revision: 3, writer: 'run-2#1' })).toBe('conflict')
    expect(cloud.write({ ...first, revision: 2, writer: 'run-2#1' })).toBe('written')
    expect(cloud.items.get('example-1')?.writer).toBe('run-2#1')
  })

  test('knows a repeated write by its mark, and another run by its own', () => {
    const cloud = new SimulatedCloud()
    cloud.write(first)
    expect(cloud.write(first)).toBe('written')
    expect(cloud.write({ ...first, writer: 'run-2#1' })).toBe('conflict')
  })

  test('lists the items of one vendor, soonest due first', () => {
    const cloud = new SimulatedCloud()
    for (const [vendor, connection, due] of [
      ['example', 'later', 2],
      ['example', 'sooner', 1],
      ['other', 'another', 0],
    ] as const) {
      cloud.write({ ...newItem({ vendor, connection }, new Date(start + due)), revision: 1 })
    }
    expect(cloud.dues('example').map(({ connection }) => connection)).toEqual(['sooner', 'later'])
  })
})
