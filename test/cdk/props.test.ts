import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** Every prop that a construct takes, with what is said of it. */
const props = readdirSync('lib/cdk').flatMap((file) =>
  [
    ...readFileSync(`lib/cdk/${file}`, 'utf8').matchAll(
      /export interface (\w+Props|Surroundings|Existing) \{\n([\s\S]*?)\n\}/g,
    ),
  ].flatMap(([, of, body = '']) =>
    [...body.matchAll(/^( {2}\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)? {2}readonly (\w+)(\??):/gm)].map(
      ([, said = '', name, isOptional]) => ({ name: `${of}.${name}`, said, isOptional }),
    ),
  ),
)

test('every prop says what it means, and an optional one what happens without it', () => {
  expect(props.length).toBeGreaterThan(40)
  expect(props.filter(({ said }) => said === '').map(({ name }) => name)).toEqual([])
  const optional = props.filter(({ isOptional }) => isOptional === '?')
  expect(
    optional.filter(({ said }) => !said.includes('@default ')).map(({ name }) => name),
  ).toEqual([])
})
