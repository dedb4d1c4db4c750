import type { Account } from './account.ts'

/** One thing to be seen in the account. */
export interface Claim {
  readonly title: string
  /** Nothing but AWS itself can show it. */
  readonly needsIam?: true
  /** @throws {Error} it is not so */
  readonly check: (account: Account) => Promise<void>
}

function holds(condition: boolean, found: string): void {
  if (!condition) throw new Error(`found ${found}`)
}

/** What is checked in the account, in this order: each goes on from where the one before it has left. */
export const claims: readonly Claim[] = [
  {
    title: 'before anybody enrolls, ticks run and nothing is published',
    async check(account) {
      const { outcomes = [] } = await account.invoke({})
      holds(
        outcomes.every(({ outcome }) => outcome === 'unenrolled' || outcome === 'lease-held'),
        JSON.stringify(outcomes),
      )
      holds((await account.published()) === undefined, 'a consumer secret with a value')
    },
  },
  {
    title: 'within three minutes of an enrollment the schedule has published a token that works',
    async check(account) {
      await account.enroll()
      const token = await account.publishedOtherThan(undefined)
      const status = await account.callVendor(token)
      holds(status === 200, `status ${status}`)
    },
  },
  {
    title: 'a rotation that is asked for is done by the schedule within three minutes',
    async check(account) {
      const before = await account.published()
      await account.rotate()
      const token = await account.publishedOtherThan(before)
      const status = await account.callVendor(token)
      holds(status === 200, `status ${status}`)
    },
  },
  {
    title: 'of ten invocations at once, one spends',
    async check(account) {
      const { presented } = await account.counts()
      const before = await account.published()
      await account.rotate()
      await Promise.all(Array.from({ length: 10 }, () => account.invoke({})))
      await account.publishedOtherThan(before)
      const after = await account.counts()
      holds(after.presented === presented + 1, `${after.presented - presented} spent`)
    },
  },
  {
    title: 'an event of another source is refused',
    async check(account) {
      const { error } = await account.invoke({ Records: [{ eventSource: 'aws:sqs' }] })
      holds(error === 'ConfigError', String(error))
    },
  },
  {
    title: 'a workload that may read the consumer secret may not read the enrollment secret',
    needsIam: true,
    async check(account) {
      const found = await account.readAsConsumer()
      holds(found.consumer === 'read', `consumer secret: ${found.consumer}`)
      holds(found.enrollment === 'AccessDeniedException', `enrollment secret: ${found.enrollment}`)
    },
  },
  {
    title:
      'who deployed may neither read nor write the enrollment secret, and the role that enrolls may not read it',
    needsIam: true,
    async check(account) {
      const found = await account.tryEnrollmentSecret()
      for (const [what, outcome] of Object.entries(found)) {
        holds(outcome === 'AccessDeniedException', `${what}: ${outcome}`)
      }
    },
  },
  {
    title: 'the vendor was shown no refresh token twice',
    async check(account) {
      const { presented, refused } = await account.counts()
      holds(presented >= 3 && refused === 0, `${presented} presented, ${refused} refused`)
    },
  },
]
