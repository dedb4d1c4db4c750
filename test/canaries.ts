import { inspect } from 'node:util'

/** Everything that a log could make of an error, its causes and hidden members included. */
export function prints(error: unknown): string {
  const { message, stack } = error as Error
  return [
    message,
    stack,
    JSON.stringify(error),
    inspect(error, { depth: 10, showHidden: true }),
  ].join()
}

/**
 * Every way in which a secret could show: as it is, encoded, escaped, or only begun. Base64 differs
 * by where in the encoded text the secret stands, so all three alignments are there.
 */
export function formsOf(secret: string): string[] {
  const escaped = JSON.stringify(secret).slice(1, -1)
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.from('\0'.repeat(shift) + secret)
      .toString('base64')
      // What the bytes around the secret decide as well is cut off.
      .slice(Math.ceil((shift * 8) / 6), -4),
  )
  const hex = Buffer.from(secret).toString('hex')
  return [
    secret,
    secret.slice(0, 12),
    escaped,
    JSON.stringify(escaped).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams([['', secret]]).toString().slice(1),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    hex,
    hex.toUpperCase(),
  ]
}

/** The places where a text shows a secret, with what stands around them; empty if it shows none. */
export function tracesOf(secrets: Iterable<string>, text: string): string[] {
  const forms = new Set([...secrets].flatMap(formsOf))
  return [...forms].flatMap((form) => {
    const at = text.indexOf(form)
    return at === -1 ? [] : [text.slice(Math.max(0, at - 80), at + 20)]
  })
}
