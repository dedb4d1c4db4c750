import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'

/**
 * What the server remembers, of every kind, in memory and for this server alone: the library's own
 * store keeps a thousand entries and drops living ones.
 *
 * @param onFamilyEnd told when every refresh token of a grant has ceased to be
 */
export function createRecords(onFamilyEnd: (grantId: string) => void): AdapterFactory {
  const records = new Map<string, { payload: AdapterPayload; expiresAt: number }>()
  return (kind): Adapter => {
    const keyOf = (id: string) => `${kind}:${id}`
    const live = (key: string) => {
      const record = records.get(key)
      if (record === undefined || record.expiresAt > Date.now()) return record?.payload
      // An expired one is refused as such, not as one that never was.
      return kind === 'RefreshToken' ? record.payload : undefined
    }
    const where = (has: (payload: AdapterPayload) => boolean) =>
      [...records.keys()]
        .filter((key) => key.startsWith(`${kind}:`))
        .map(live)
        .find((payload) => payload !== undefined && has(payload))
    return {
      async upsert(id, payload, expiresIn) {
        const expiresAt = expiresIn === undefined ? Number.POSITIVE_INFINITY : expiresIn * 1000
        records.set(keyOf(id), { payload, expiresAt: Date.now() + expiresAt })
      },
      find: async (id) => live(keyOf(id)),
      findByUid: async (uid) => where((payload) => payload.uid === uid),
      findByUserCode: async (code) => where((payload) => payload.userCode === code),
      async consume(id) {
        const payload = live(keyOf(id))
        if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000)
      },
      async destroy(id) {
        records.delete(keyOf(id))
      },
      async revokeByGrantId(grantId) {
        for (const [key, { payload }] of records) {
          if (key.startsWith(`${kind}:`) && payload.grantId === grantId) records.delete(key)
        }
        if (kind === 'RefreshToken') onFamilyEnd(grantId)
      },
    }
  }
}
