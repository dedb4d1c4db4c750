import { expect, test } from 'vitest'
import { publicationId, successorId } from '../../lib/core/version-id.ts'

// Ids that stand in secrets: a release that derived others would not find what a former one left behind.
test('the id of the one successor follows from a version’s id, for good', () => {
  expect(successorId('00000000-0000-4000-8000-000000000001')).toBe(
    'f6da25c1-d733-516f-9f4f-ccb7c17872b3',
  )
})

test('the id under which a version is published follows from it too, and is another', () => {
  expect(publicationId('00000000-0000-4000-8000-000000000001')).toBe(
    '20ba8087-4f2f-5882-b89e-7aaf49d33de4',
  )
})
