import type { ContenderKind } from './contender.ts'
import { ExpiringLock } from './lock.ts'
import { enrollInto, renew, secretFromOutside, secretKeeper, usualTries } from './usual.ts'

/**
 * A lock that is set if it is absent and lives for ten seconds; at the end it is deleted, whoever may
 * have it by then. The recipe for a lock in a cache as it is copied most often.
 */
export const unownedLock: ContenderKind = {
  id: 'unownedLock',
  title: '10 s lock, released by anybody',
  tries: usualTries,
  settle(site) {
    const lock = new ExpiringLock(site, { seconds: 10, isOwnerChecked: false })
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
