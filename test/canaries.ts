import { inspect } from 'node:util'
import { type Encoding, formsOf } from './canary-forms.ts'

/** Everything that a log could make of an error, its causes and hidden members included. */
export function prints(error: unknown): string {
  const { message, stack } = Object(error) as Partial<Error>
  return [
    message,
    stack,
    JSON.stringify(error),
    inspect(error, { depth: 10, showHidden: true }),
  ].join()
}

/** A place where a secret shows. */
export interface Hit {
  readonly sink: string
  /** How it stands there, e.g. `as it is`, `Base64`, `percent-encoded, Base64`. */
  readonly form: string
  /** What stands around it. */
  readonly around: string
}

/** A search for secrets, compiled: one pass over a text, however many secrets there are. */
export interface Canaries {
  /** How many there are. */
  readonly size: number
  /** @throws {RangeError} a secret of fewer than 8 characters: it would be found by chance */
  add(...secrets: readonly string[]): void
  /** Every secret that shows in the text, once for each form that it shows in; empty if none does. */
  find(text: string, sink?: string): Hit[]
}

const shortest = 8

/**
 * Compiles a search; more secrets may be added at any time.
 *
 * A secret shows by its first twelve characters (all of it, if it has fewer), as they are, in Base64
 * of any alignment or alphabet, and in hexadecimal; and each of these also percent-encoded or escaped
 * for JSON, in whatever spelling, or both, one within the other. Of a PEM each line counts. What is
 * compressed or encrypted is not found.
 */
export function canaries(secrets: Iterable<string> = []): Canaries {
  const known = new Set<string>()
  const indexes = new Map<number, Index>()
  let hasSpaces = false
  const add = (...more: readonly string[]) => {
    for (const secret of more) {
      if (known.has(secret)) continue
      if (secret.length < shortest) {
        throw new RangeError(`a secret of ${secret.length} characters; allowed are ${shortest} up`)
      }
      known.add(secret)
      for (const [text, encoding] of formsOf(secret)) {
        hasSpaces ||= text.includes(' ')
        const index = indexes.get(text.length) ?? createIndex(text.length)
        indexes.set(text.length, index)
        index.add(text, encoding)
      }
    }
  }
  add(...secrets)
  return {
    get size() {
      return known.size
    },
    add,
    find(text, sink = 'text') {
      const hits = new Map<string, Hit>()
      for (const [view, how] of viewsOf(text, hasSpaces)) {
        for (const index of indexes.values()) {
          for (const [at, encoding, shown] of index.find(view)) {
            // A decoded view still has what needed no decoding: that has been found already.
            if (hits.has(shown)) continue
            const form = [how, encoding].filter((word) => word !== '').join(', ') || 'as it is'
            hits.set(shown, { sink, form, around: view.slice(Math.max(0, at - 80), at + 20) })
          }
        }
      }
      return [...hits.values()]
    },
  }
}

/** The places where a text shows a secret, with form and surroundings; empty if it shows none. */
export function tracesOf(secrets: Iterable<string>, text: string): string[] {
  return canaries(secrets)
    .find(text)
    .map(({ form, around }) => `${form}: ${around}`)
}

type Index = ReturnType<typeof createIndex>

const filterBits = 18

/** Texts of one length, all looked for at once by a rolling hash (Rabin and Karp). */
function createIndex(length: number) {
  const texts = new Map<string, Encoding>()
  const filter = new Uint8Array(1 << filterBits)
  const base = 0x01000193
  let leading = 1
  for (let n = 1; n < length; n++) leading = Math.imul(leading, base)
  const slot = (hash: number) => hash >>> (32 - filterBits)
  return {
    add(text: string, encoding: Encoding) {
      if (texts.has(text)) return
      texts.set(text, encoding)
      let hash = 0
      for (let n = 0; n < length; n++) hash = (Math.imul(hash, base) + text.charCodeAt(n)) | 0
      filter[slot(hash)] = 1
    },
    *find(text: string): Generator<readonly [at: number, Encoding, shown: string]> {
      let hash = 0
      for (let n = 0; n < text.length; n++) {
        if (n >= length) hash = (hash - Math.imul(leading, text.charCodeAt(n - length))) | 0
        hash = (Math.imul(hash, base) + text.charCodeAt(n)) | 0
        if (n < length - 1 || filter[slot(hash)] !== 1) continue
        const at = n - length + 1
        const shown = text.slice(at, n + 1)
        const encoding = texts.get(shown)
        if (encoding !== undefined) yield [at, encoding, shown]
      }
    },
  }
}

// Deep enough for JSON in a URL in JSON in JSON.
const deepest = 4

/** A text as it is, and as what stands escaped in it reads, layer by layer. */
function viewsOf(text: string, hasSpaces: boolean): Map<string, string> {
  const views = new Map([[text, '']])
  let layer = [...views]
  for (let depth = 0; depth < deepest && layer.length > 0; depth++) {
    const next = layer.flatMap(([view, how]) =>
      readings(view, hasSpaces)
        .filter(([read]) => !views.has(read))
        .map(([read, name]) => [read, how === '' ? name : `${how}, ${name}`] as [string, string]),
    )
    for (const [view, how] of next) views.set(view, how)
    layer = next
  }
  return views
}

function readings(text: string, hasSpaces: boolean): [string, string][] {
  const found: [string, string][] = []
  if (text.includes('\\')) found.push([unescaped(text), 'JSON-escaped'])
  if (text.includes('%')) found.push([percentDecoded(text), 'percent-encoded'])
  if (hasSpaces && text.includes('+')) {
    found.push([percentDecoded(text.replaceAll('+', ' ')), 'form-encoded'])
  }
  return found
}

const letters: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

function unescaped(text: string): string {
  return text.replace(/\\(?:u([\da-fA-F]{4})|(.))/g, (_whole, unit?: string, char = '') =>
    unit === undefined ? (letters[char] ?? char) : String.fromCharCode(Number.parseInt(unit, 16)),
  )
}

function percentDecoded(text: string): string {
  return text.replace(/(?:%[\da-fA-F]{2})+/g, (run) =>
    Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
  )
}
