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
 * Every way in which a secret could show: as it is, encoded, escaped, or only begun. Whatever shows
 * all of it shows its first twelve characters in the same way, so these are what is looked for.
 */
export function formsOf(secret: string): string[] {
  const begun = secret.slice(0, 12)
  const escaped = JSON.stringify(begun).slice(1, -1)
  // Base64 differs by where in the encoded text the secret stands: there are three alignments.
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.from('\0'.repeat(shift) + begun)
      .toString('base64')
      // What the bytes around it decide as well is cut off.
      .slice(Math.ceil((shift * 8) / 6), -4),
  )
  const hex = Buffer.from(begun).toString('hex')
  return [
    begun,
    escaped,
    JSON.stringify(escaped).slice(1, -1),
    encodeURIComponent(begun),
    new URLSearchParams([['', begun]]).toString().slice(1),
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
