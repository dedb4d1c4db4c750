/**
 * A credential that cannot be printed: every way of turning it into text gives `[redacted]`.
 * `reveal()` stands only where bytes leave for the vendor or for a secret, so that a search for it
 * lists every such place.
 */
export class Redacted {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The credential itself. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  /** What `console.log` and `util.inspect` print. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]'
  }
}
