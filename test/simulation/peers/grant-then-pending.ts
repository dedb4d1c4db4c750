import {
  decodeEnrollment,
  encodeEnrollment,
  enrollmentSecretId,
  isTokenSet,
} from '../../../lib/core/documents.ts'
import { StoreError } from '../../../lib/core/errors.ts'
import type { ContenderKind, Hands } from './contender.ts'
import { enrollInto, isDue, obtain, secretFromOutside, secretKeeper, usualTries } from './usual.ts'

/**
 * Secrets Manager's four steps: createSecret asks the vendor and puts the pair under AWSPENDING,
 * setSecret has nothing to do, testSecret tries the new access token, finishSecret moves AWSCURRENT.
 * Whichever step fails, the whole rotation is tried again under the same token until it is finished;
 * createSecret keeps a pending version that it finds. Found in rotation functions grown from AWS's template.
 */
export const grantThenPending: ContenderKind = {
  id: 'grantThenPending',
  title: 'four steps, grant then pending',
  tries: usualTries,
  settle(site) {
    const { connection, vendor } = site
    const secretId = enrollmentSecretId(connection.id)
    const fromOutside = secretFromOutside(site)
    /** Secrets Manager's own record of a rotation that is not finished: its client request token. */
    let rotation: string | undefined

    async function createSecret(versionId: string, hands: Hands): Promise<void> {
      const { ports } = hands
      if ((await ports.secrets.read(secretId, versionId)) !== undefined) return
      const keeper = secretKeeper(site, hands)
      const held = await keeper.read()
      const tokens = held && (await obtain(site, hands, held))
      if (held === undefined || tokens === undefined) throw new StoreError('no pair', 'denied')
      const text = encodeEnrollment(
        { ...held, versionId, tokens },
        { connection: connection.id, vendor: vendor.id },
      )
      const put = () => ports.secrets.put(secretId, { versionId, text }, 'pending')
      if ((await put()) === 'conflict') throw new StoreError('other text', 'denied')
    }

    async function testSecret(versionId: string, { ports }: Hands): Promise<void> {
      const stored = await ports.secrets.read(secretId, versionId)
      if (stored === undefined) throw new StoreError('no pending version', 'denied')
      const pending = decodeEnrollment(stored.text, versionId)
      const client = ports.connect(connection, vendor, pending)
      if (!isTokenSet(pending.tokens)) throw new StoreError('no tokens in it', 'denied')
      const now = ports.clock.now()
      await client.verify?.(pending.tokens, { now, timeoutSeconds: 30, known: {} })
    }

    async function finishSecret(versionId: string, { ports }: Hands): Promise<void> {
      const from = await ports.secrets.currentId(secretId)
      if (from === undefined) throw new StoreError('no current version', 'denied')
      await ports.secrets.promote(secretId, { from, to: versionId })
    }

    return {
      ...fromOutside,
      dueAt: () => (rotation !== undefined && !fromOutside.asks() ? 0 : fromOutside.dueAt()),
      async tick(hands) {
        if (rotation === undefined) {
          const held = await secretKeeper(site, hands).read()
          if (held === undefined || !isDue(site, held.tokens, hands)) return
          rotation ??= site.newId()
        }
        const versionId = rotation
        await createSecret(versionId, hands)
        await testSecret(versionId, hands)
        await finishSecret(versionId, hands)
        if (rotation === versionId) rotation = undefined
      },
      async enroll(fields, hands) {
        // A person cancels the rotation first, as the console has them do.
        rotation = undefined
        await enrollInto(site, hands, secretKeeper(site, hands), fields)
        return true
      },
    }
  },
}
