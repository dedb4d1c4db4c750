import type { Exchange } from '../sockets/fault-proxy.ts'
import type { Answered } from '../sockets/faults.ts'

const named =
  /token$|tokenvalue|secret|password|pfx|privatekey|authkey|assertion|pxgretval|^headers$/i
const shortest = 12

/**
 * Every credential that goes over the wire in an exchange, in either direction, by where it stands:
 * headers that authenticate, parameters and JSON members with such a name, at any depth.
 */
export function secretsIn(exchange: Exchange, answered?: Answered): string[] {
  const { headers, path, body } = exchange
  const texts = [body, answered?.body.toString('utf8') ?? '']
  const found = [
    ...Object.entries(headers).flatMap(([name, value]) => fromHeader(name, String(value))),
    ...fromParameters(path.split('?')[1] ?? ''),
    ...fromParameters(body),
    ...texts.flatMap((text) => fromJson(parsed(text), '')),
  ]
  return [...new Set(found)].filter((text) => isSecret(text))
}

/** Every credential in the document of a secret, or in what an operator types, from so many characters on. */
export function secretsOf(document: unknown, atLeast = shortest): string[] {
  return [...new Set(fromJson(document, ''))].filter((text) => isSecret(text, atLeast))
}

/** The same of the document that a call to AWS stores or reads, if there is one. */
export function storedIn({ body }: Exchange, answered: Answered): string[] {
  const documents = [body, answered.body.toString('utf8')].flatMap((text) => {
    const { SecretString, Value, Parameter } = Object(parsed(text))
    return [SecretString, Value, Object(Parameter).Value]
  })
  return documents.flatMap((document) => secretsOf(parsed(String(document))))
}

function fromHeader(name: string, value: string): string[] {
  if (!/^(authorization|x-ksc-session|cookie)$/.test(name)) return []
  const words = value.split(/[\s,;="]+/)
  const [, encoded] = /^Basic (\S+)$/.exec(value) ?? []
  if (encoded === undefined) return words
  const [, ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  const password = rest.join(':')
  return [
    password,
    decodeURIComponent(password.replaceAll('+', ' ').replace(/%(?![\da-f]{2})/gi, '%25')),
  ]
}

function fromParameters(text: string): string[] {
  if (!/^[\w.-]+=/.test(text)) return []
  return [...new URLSearchParams(text)].flatMap(([name, value]) => (named.test(name) ? value : []))
}

function fromJson(json: unknown, name: string): string[] {
  if (typeof json === 'string') return named.test(name) ? json.split(/^Bearer /).slice(-1) : []
  if (typeof json !== 'object' || json === null) return []
  return Object.entries(json).flatMap(([key, value]) =>
    fromJson(value, name === 'headers' || Array.isArray(json) ? name : key),
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isSecret(text: string, atLeast = shortest): boolean {
  return text.length >= atLeast && !/^(https?:|urn:|integration@|token-rotator\/)/.test(text)
}
