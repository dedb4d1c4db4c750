/** What was done to a secret before it was looked for; empty: nothing. */
export type Encoding = '' | 'Base64' | 'hexadecimal'

const begun = 12

/**
 * What to look for where a secret may show: its beginning, and the beginning of each of its encodings.
 * Escapes are not among them: whoever searches takes them off the text, where they may stand anyhow.
 */
export function* formsOf(secret: string): Generator<readonly [text: string, Encoding]> {
  for (const piece of piecesOf(secret)) {
    yield [piece.slice(0, begun), '']
    const bytes = Buffer.from(piece)
    for (const text of base64(bytes)) {
      yield [text, 'Base64']
      yield [text.replaceAll('+', '-').replaceAll('/', '_'), 'Base64']
    }
    const hex = bytes.toString('hex').slice(0, begun)
    yield [hex, 'hexadecimal']
    yield [hex.toUpperCase(), 'hexadecimal']
  }
}

/** The first line of a PEM is everybody's, and a key's first bytes tell only its kind. */
function piecesOf(secret: string): string[] {
  if (!secret.startsWith('-----BEGIN ')) return [secret]
  return secret.split('\n').filter((line) => line.length >= begun && !line.startsWith('-----'))
}

/** Base64 differs by where in the encoded text the secret stands: there are three alignments. */
function base64(bytes: Buffer): string[] {
  return [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    // What the bytes before and after it decide as well is cut off.
    const first = Math.ceil((shift * 8) / 6)
    const whole = Math.floor(((shift + bytes.length) * 8) / 6)
    return text.slice(first, Math.min(first + begun, whole))
  })
}
