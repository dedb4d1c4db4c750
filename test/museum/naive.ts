import type { SecretStore } from '../../lib/core/ports.ts'
import type { Http, HttpAnswer } from '../../lib/core/vendor.ts'

/** What the naive rotator keeps, all of it in the one secret that workloads read as well. */
export interface NaiveDocument {
  readonly accessToken?: string
  readonly refreshToken?: string
  /** Milliseconds since 1970. */
  readonly expiresAt?: number
  readonly isDead?: boolean
}

/** Ways in which such programs differ; each default is the commonest. */
export interface Habits {
  readonly marginSeconds?: number
  readonly timeoutSeconds?: number
  /** Tries of the HTTP client that it is built on. */
  readonly tries?: number
  /** What becomes of the credential once the vendor has said no. */
  readonly onRefusal?: 'keep' | 'mark-dead' | 'erase'
  /** What becomes of it when there was no answer. */
  readonly onSilence?: 'keep' | 'mark-dead'
  readonly tells?: boolean
  /** A lock of this many seconds, given up at the end by whoever gets there. */
  readonly lockSeconds?: number
  /** The two tokens are written in two calls. */
  readonly writesTwice?: boolean
  /** A version is reserved under the pending label before the vendor is asked. */
  readonly reservesVersion?: boolean
  /** A note is left while a token is being spent, and taken away when the answer has come. */
  readonly leavesNote?: boolean
}

/** What outlives a run, beside the secret. */
export interface NaiveState {
  lockedUntil?: number
  pendingId?: string
  note?: boolean
  versions: number
  readonly pages: string[]
  readonly log: string[]
}

/** Reads the secret, refreshes when due and writes back: what one would write on a quiet afternoon. */
export async function rotateNaively(
  secretId: string,
  state: NaiveState,
  habits: Habits,
  { secrets, http, now }: { secrets: SecretStore; http: Http; now: () => Date },
): Promise<void> {
  if (habits.lockSeconds === undefined) return refresh()
  if ((state.lockedUntil ?? 0) > now().getTime()) return
  state.lockedUntil = now().getTime() + habits.lockSeconds * 1000
  try {
    await refresh()
  } finally {
    delete state.lockedUntil
  }

  async function refresh(): Promise<void> {
    const held = JSON.parse((await secrets.read(secretId))?.text ?? '{}') as NaiveDocument
    const left = ((held.expiresAt ?? 0) - now().getTime()) / 1000
    if (held.isDead || state.note || left > (habits.marginSeconds ?? 900)) return
    if (habits.reservesVersion && !(await reserve())) return
    if (habits.leavesNote) state.note = true
    const answer = await ask(held.refreshToken ?? '')
    state.note = false
    if (answer === undefined) {
      return habits.onSilence === 'mark-dead' ? write({ ...held, isDead: true }) : undefined
    }
    if (answer.status !== 200) {
      state.log.push(`refresh failed with status ${answer.status}: ${answer.text}`)
      if (habits.tells) state.pages.push('refresh failed')
      if (habits.onRefusal === 'mark-dead') await write({ ...held, isDead: true })
      if (habits.onRefusal === 'erase') await write({})
      return
    }
    const { access_token, refresh_token, expires_in } = answer.json as Record<string, string>
    const expiresAt = now().getTime() + Number(expires_in) * 1000
    const fresh = { accessToken: access_token as string, expiresAt }
    if (habits.writesTwice) await write({ ...held, ...fresh })
    await write({ ...fresh, refreshToken: refresh_token as string })
  }

  async function ask(refreshToken: string): Promise<HttpAnswer | undefined> {
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken })
    let answer: HttpAnswer | undefined
    for (let left = habits.tries ?? 1; left > 0; left--) {
      answer = await http
        .request({
          name: 'token',
          method: 'POST',
          url: 'https://login.example.com/token',
          body: body.toString(),
          timeoutSeconds: habits.timeoutSeconds ?? 10,
        })
        .catch(() => undefined)
      if (answer !== undefined && answer.status < 500) break
    }
    return answer
  }

  /** @returns whether the vendor is to be asked: not if a former run has left something to promote */
  async function reserve(): Promise<boolean> {
    if (state.pendingId !== undefined) {
      const from = (await secrets.read(secretId))?.versionId ?? ''
      await secrets.promote(secretId, { from, to: state.pendingId })
      delete state.pendingId
      return false
    }
    state.pendingId = `pending-${state.versions}`
    await secrets.put(secretId, { versionId: state.pendingId, text: '{}' }, 'pending')
    return true
  }

  async function write(document: NaiveDocument): Promise<void> {
    const version = { versionId: `naive-${++state.versions}`, text: JSON.stringify(document) }
    await secrets.put(secretId, version, 'current')
    delete state.pendingId
  }
}
