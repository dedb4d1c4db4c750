/** What consumers are served with, as they can tell. */
export interface Served {
  readonly token: string
  readonly issuedAt: Date
  readonly expiresAt: Date | null
}

/** One version of the consumer secret, and the parameter that stands in for it. */
export interface Shown {
  /** A version's text never changes, so it is read once. */
  readonly id: string | undefined
  readonly text: string | undefined
  readonly mirror: string | undefined
}

/** Reads as consumers do: the secret or, if that is older, its mirror. */
export class ConsumerView {
  private last: Shown | undefined
  private served: Served | undefined

  look(shown: Shown): Served | undefined {
    if (shown.id === this.last?.id && shown.mirror === this.last?.mirror) return this.served
    this.last = shown
    const [one, other] = [read(shown.text), read(shown.mirror)]
    const isMirrorNewer = one !== undefined && other !== undefined && other.issuedAt > one.issuedAt
    this.served = isMirrorNewer ? other : (one ?? other)
    return this.served
  }
}

function read(text: string | undefined): Served | undefined {
  if (text === undefined) return undefined
  const { access_token: token, issued_at, expires_at } = JSON.parse(text)
  const expiresAt = expires_at === null ? null : new Date(expires_at)
  return token === undefined ? undefined : { token, issuedAt: new Date(issued_at), expiresAt }
}
