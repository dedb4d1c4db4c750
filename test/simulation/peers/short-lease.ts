import type { ContenderKind } from './contender.ts'
import { ExpiringLock } from './lock.ts'
import { enrollInto, renew, secretFromOutside, secretKeeper, usualTries } from './usual.ts'

/**
 * Read, modify, write under a lease of two seconds, which is given back by its owner only and never
 * renewed: long enough on every ordinary day. Found in gateways and agents that share tokens through a
 * cache, where the lease is meant to last for one quick call.
 */
export const shortLease: ContenderKind = {
  id: 'shortLease',
  title: '2 s lease, never renewed',
  tries: usualTries,
  settle(site) {
    const lock = new ExpiringLock(site, { seconds: 2, isOwnerChecked: true })
    return {
      ...secretFromOutside(site),
      async tick(hands) {
        await lock.around(hands, () =>
          renew(site, hands, secretKeeper(site, hands), 'the connection'),
        )
      },
      enroll: (fields, hands) =>
        lock.around(hands, () => enrollInto(site, hands, secretKeeper(site, hands), fields)),
    }
  },
}
