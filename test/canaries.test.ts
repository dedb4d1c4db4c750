import { describe, expect, test } from 'vitest'
import { canaries, prints, tracesOf } from './canaries.ts'

const secret = 'Si "p/w+rd ü&7~?> by hand'
const begun = secret.slice(0, 12)

/** Every byte as `%XX`, as no library writes it and every one reads it. */
const percent = (text: string) => Buffer.from(text).toString('hex').replace(/../g, '%$&')
const units = (text: string) =>
  [...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
const base64 = (text: string) => Buffer.from(text).toString('base64')
const base64url = (text: string) => Buffer.from(text).toString('base64url')
const hex = (text: string) => Buffer.from(text).toString('hex')

describe('a secret is found', () => {
  test.each([
    ['as it is', `password ${secret}.`, 'as it is'],
    ['by its first twelve characters', `password ${begun}…`, 'as it is'],
    ['at the very beginning', begun, 'as it is'],
    ['at the very end', `${'x'.repeat(1000)}${begun}`, 'as it is'],
    ['in JSON', JSON.stringify({ secret }), 'JSON-escaped'],
    [
      'in JSON within JSON',
      JSON.stringify({ body: JSON.stringify({ secret }) }),
      'JSON-escaped, JSON-escaped',
    ],
    ['in JSON that escapes every character', `"${units(secret)}"`, 'JSON-escaped'],
    ['in such JSON, in capitals', `"${units(secret).replace(/[a-f]/g, (c) => c.toUpperCase())}"`],
    ['in a URL', `https://vendor.example/?p=${encodeURIComponent(secret)}`, 'percent-encoded'],
    ['in a URL in small letters', `?p=${encodeURIComponent(secret).toLowerCase()}`, undefined],
    ['in a URL that encodes every byte', `?p=${percent(secret)}`, 'percent-encoded'],
    ['in such a URL, in capitals', `?p=${percent(secret).toUpperCase()}`, 'percent-encoded'],
    ['in a URL within a URL', encodeURIComponent(`?p=${encodeURIComponent(secret)}`)],
    ['in a URL within JSON', JSON.stringify(`"?p=${encodeURIComponent(secret)}`)],
    ['in JSON within a URL', encodeURIComponent(JSON.stringify({ secret }))],
    ['in a form', new URLSearchParams({ secret }).toString(), 'form-encoded'],
    ['in hexadecimal', hex(`.${secret}.`), 'hexadecimal'],
    ['in capital hexadecimal', hex(secret).toUpperCase(), 'hexadecimal'],
    ['in hexadecimal that breaks off', hex(secret).slice(0, 12), 'hexadecimal'],
    ['in the cause of an error', prints(new Error('no', { cause: { data: secret } }))],
    [
      'in a hidden member of an error',
      prints(Object.defineProperty(new Error('no'), 'data', { value: secret, enumerable: false })),
    ],
  ])('%s', (where, text, form?: string) => {
    // Small letters are another secret: what the encoding itself may not change is changed as well.
    const sought = where === 'in a URL in small letters' ? secret.toLowerCase() : secret
    const hits = canaries([sought]).find(text, 'a log')
    expect(hits).not.toEqual([])
    expect(hits[0]?.sink).toBe('a log')
    if (form !== undefined) expect(hits.map((hit) => hit.form)).toContain(form)
  })

  // Of letters that Base64 writes with + and /, at each of the three places that it may begin at.
  const odd = '~~>?>~?ÿ~>?~~>>??~'
  test.each(
    [secret, odd].flatMap((sought) =>
      ['', 'u', 'u:', 'me:', 'you:'].flatMap((before) =>
        ['', ':', '::'].map((after) => [sought, before, after] as const),
      ),
    ),
  )('in Base64 of either alphabet (%s after "%s", before "%s")', (sought, before, after) => {
    const text = `${before}${sought}${after}`
    for (const encoded of [base64(text), base64url(text)]) {
      expect(canaries([sought]).find(`x ${encoded} x`)).toMatchObject([{ form: 'Base64' }])
    }
  })

  test('in Base64 that breaks off after twelve characters of it', () => {
    expect(tracesOf([secret], base64(secret).slice(0, 12))).toHaveLength(1)
  })

  test('in Base64 within a URL', () => {
    const text = encodeURIComponent(base64(odd))
    expect(text).toContain('%2')
    expect(canaries([odd]).find(text)).toMatchObject([{ form: 'percent-encoded, Base64' }])
  })

  test('by any line of a PEM but those that every PEM has', () => {
    const lines = ['MIIEvAIBADANBgkqhkiG9w0BAQEFAASC', 'Zm9yIGV4YW1wbGUgb25seSwgbm8ga2V5']
    const armour = ['-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----']
    const pem = [armour[0], ...lines, armour[1], ''].join('\n')
    for (const line of lines) expect(tracesOf([pem], `key ${line.slice(0, 12)}`)).toHaveLength(1)
    for (const line of armour) expect(tracesOf([pem], line)).toEqual([])
    expect(tracesOf([pem], base64(pem))).not.toEqual([])
  })

  test('of eight characters', () => {
    const texts = ['made-up1', hex('made-up1'), 'u', 'u:', 'me:'].map((before, n) =>
      n < 2 ? before : base64(`${before}made-up1:and more`),
    )
    for (const text of texts) expect(tracesOf(['made-up1'], text)).toHaveLength(1)
  })

  test('of several lines, in JSON', () => {
    expect(tracesOf(['two\r\nlines\there'], JSON.stringify('two\r\nlines\there'))).toHaveLength(1)
  })

  test('among thousands, and the right ones', () => {
    const many = Array.from({ length: 5000 }, (_, n) => `${10_000 + n}. token of nobody`)
    const search = canaries(many)
    search.add(secret)
    expect(search.size).toBe(5001)
    const found = search.find(`${'harmless '.repeat(1000)}${secret} | ${many[4711]}`)
    expect(found.map(({ around }) => around.slice(80))).toEqual([
      secret.slice(0, 20),
      many[4711]?.slice(0, 20),
    ])
  })
})

describe('harmless is', () => {
  test.each([
    ['what only resembles a secret', 'Sim p/w+rd; password: [redacted]'],
    ['fewer characters of it', secret.slice(0, 11)],
    ['another case', secret.toUpperCase()],
    ['its end', secret.slice(1)],
    ['its length', `${secret.length}`],
    ['an encoding of fewer characters of it', base64(secret.slice(0, 8))],
    ['a percent sign or a backslash that encodes nothing', '100 % of C:\\x %zz \\u12 %'],
    ['nothing', ''],
  ])('%s', (_what, text) => {
    expect(tracesOf([secret], text)).toEqual([])
  })

  test('a text without secrets, whatever stands in it', () => {
    const text = `${JSON.stringify(process.env)}${base64(JSON.stringify(process.versions))}`
    expect(tracesOf([secret, 'another-secret'], text)).toEqual([])
  })
})

test('what is too short to be told from chance is refused, not overlooked', () => {
  expect(() => canaries(['short-1'])).toThrow(RangeError)
  expect(canaries().find(secret)).toEqual([])
})
