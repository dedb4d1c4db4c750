import type { Hands, Site } from './contender.ts'

/** One lock in a table or a cache that expires by its server's own clock. */
export class ExpiringLock {
  private held: { readonly owner: object; readonly until: number } | undefined
  private readonly site: Site
  private readonly seconds: number
  private readonly isOwnerChecked: boolean

  constructor(site: Site, options: { readonly seconds: number; readonly isOwnerChecked: boolean }) {
    this.site = site
    this.seconds = options.seconds
    this.isOwnerChecked = options.isOwnerChecked
  }

  /** Does it under the lock. @returns whether it was done; not if the lock is taken */
  async around(hands: Hands, work: () => Promise<void>): Promise<boolean> {
    if (!(await this.take(hands))) return false
    try {
      await work()
    } finally {
      // If that fails, the lock runs out.
      await this.release(hands).catch(() => undefined)
    }
    return true
  }

  private take({ process }: Hands): Promise<boolean> {
    return process.store('ledger', 'lock.take', () => {
      const now = this.site.timeline.now()
      const { held } = this
      if (held !== undefined && held.owner !== process && held.until > now) return false
      this.held = { owner: process, until: now + this.seconds * 1000 }
      return true
    })
  }

  private release({ process }: Hands): Promise<void> {
    return process.store('ledger', 'lock.release', () => {
      if (!this.isOwnerChecked || this.held?.owner === process) this.held = undefined
    })
  }
}
