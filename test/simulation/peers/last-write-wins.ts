import type { ContenderKind } from './contender.ts'
import { enrollInto, renew, secretFromOutside, secretKeeper, usualTries } from './usual.ts'

/**
 * Reads the secret, refreshes if it is time, writes the secret. Nothing keeps a second run away, and
 * whoever writes last, wins. So do most samples of a rotating function, and cron jobs with a client.
 */
export const lastWriteWins: ContenderKind = {
  id: 'lastWriteWins',
  title: 'last write wins, no lock',
  tries: usualTries,
  settle: (site) => ({
    ...secretFromOutside(site),
    tick: (hands) => renew(site, hands, secretKeeper(site, hands)),
    async enroll(fields, hands) {
      await enrollInto(site, hands, secretKeeper(site, hands), fields)
      return true
    },
  }),
}
