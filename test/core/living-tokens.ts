/**
 * Tokens with their ends. The dead are forgotten whenever another one comes, so that a simulation of
 * months keeps a handful.
 */
export function livingTokens(now: () => Date) {
  const ends = new Map<string, Date>()
  const isAlive = (token: string) => (ends.get(token) ?? now()) > now()
  return {
    isAlive,
    add(token: string, seconds: number) {
      for (const known of ends.keys()) if (!isAlive(known)) ends.delete(known)
      ends.set(token, new Date(now().getTime() + seconds * 1000))
    },
    /** In the order in which they came. */
    living: (): readonly string[] => [...ends.keys()].filter(isAlive),
    end: (token: string) => void ends.delete(token),
    clear: () => ends.clear(),
  }
}
