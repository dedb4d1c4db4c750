import type { Exchange } from '../sockets/fault-proxy.ts'
import type { Answered } from '../sockets/faults.ts'

/** An answer that says back what it was told: as careless servers, gateways and proxies do. */
export type Echo = (answered: Answered, said: readonly string[], exchange: Exchange) => Answered

/**
 * By name: where an answer repeats the credentials of its exchange. Those that refuse end a grant;
 * those with 200 are read on.
 */
export const echoes: Readonly<Record<string, Echo>> = {
  'the description of a refusal': (_, said) =>
    json(400, {
      error: 'invalid_grant',
      error_description: `no such token: ${said.join(' ')}`,
      message: said.join(' '),
      errors: said.map((token) => ({ code: token, description: token })),
    }),
  'the code of a refusal': (_, said) =>
    json(400, { error: said[0], code: said[0], reason: said[0] }),
  'the request in an error 500': (_, said, { path, headers, body }) =>
    text(500, 'text/plain', `${path}\n${JSON.stringify(headers)}\n${body}\n${said.join('\n')}`),
  'a web page': (_, said) => text(200, 'text/html', `<html><p>${said.join('<p>')}</html>`),
  'a redirect': (_, said) => ({
    status: 302,
    rawHeaders: [
      'location',
      `https://127.0.0.1:1/?${said.map((t) => `t=${inHeader(t)}`).join('&')}`,
    ],
    body: Buffer.from(''),
  }),
  'headers of a refusal': (_, said) => ({
    status: 401,
    rawHeaders: [
      'www-authenticate',
      `Bearer error="invalid_token", error_description="${said.map(inHeader).join(' ')}"`,
      'x-token',
      said.map(inHeader).join(' '),
      'content-type',
      'application/json',
    ],
    body: Buffer.from('{}'),
  }),
  'headers that are read': (answered, said) => ({
    ...answered,
    rawHeaders: [
      ...['content-type', 'date', 'retry-after'].flatMap((name) => [name, inHeader(said[0] ?? '')]),
    ],
  }),
  'the encoding of a body': (answered, said) => ({
    ...answered,
    rawHeaders: ['content-encoding', inHeader(said[0] ?? '')],
  }),
  'a header that is none': (answered, said) => ({
    ...answered,
    rawHeaders: [`${inHeader(said[0] ?? '')} : `, inHeader(said[0] ?? '')],
  }),
  'every text in a good answer': (answered, said) => {
    let turn = 0
    return withJson(answered, (value) =>
      typeof value === 'string' ? (said[turn++ % said.length] ?? value) : value,
    )
  },
  'everything beside the tokens of a good answer': (answered, said) => {
    const [first = ''] = said
    return withJson(answered, (value, key) =>
      /token$|tokenValue|PxgRetVal|wstrAuthKey|_endpoint$|issuer/i.test(key) ? value : first,
    )
  },
  'the names of members': (_, said) => json(200, Object.fromEntries(said.map((t) => [t, t]))),
  'an answer that breaks off': (_, said) =>
    text(200, 'application/json', `{"error":"${said.join('","')}`),
}

// Line breaks cannot stand in a header, so of a key there its first line that is the key's own.
function inHeader(secret: string): string {
  const line = secret.split('\n').find((one) => !one.startsWith('-----')) ?? ''
  return line.replace(/[^\x21-\x7e]/g, '')
}

function json(status: number, body: unknown): Answered {
  return text(status, 'application/json', JSON.stringify(body))
}

function text(status: number, type: string, body: string): Answered {
  return { status, rawHeaders: ['content-type', type], body: Buffer.from(body) }
}

/** The answer with its leaves replaced; as it was, if it is not JSON. */
function withJson(answered: Answered, replace: (value: unknown, key: string) => unknown): Answered {
  const leaf = (key: string, value: unknown) =>
    typeof value === 'object' ? value : replace(value, key)
  try {
    const body = JSON.stringify(JSON.parse(answered.body.toString('utf8')), leaf)
    return { ...answered, body: Buffer.from(body) }
  } catch {
    return answered
  }
}
