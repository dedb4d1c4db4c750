import { randomBytes } from 'node:crypto'

/** What the endpoint takes from the outside world, so that a test can decide it. */
export interface Surroundings {
  readonly now: () => Date
  /** @param count bytes wanted; every id, ARN suffix and password is drawn from here */
  readonly random: (count: number) => Buffer
  readonly region: string
  readonly accountId: string
}

/** The real clock and generator, in the region and account that AWS's own examples use. */
export const realSurroundings: Surroundings = {
  now: () => new Date(),
  random: randomBytes,
  region: 'us-east-1',
  accountId: '123456789012',
}

/** Characters drawn evenly from an alphabet of at most 256. */
export function drawCharacters(
  random: Surroundings['random'],
  alphabet: string,
  count: number,
): string {
  // Bytes beyond the last whole multiple of the alphabet would favour its first characters.
  const limit = 256 - (256 % alphabet.length)
  let drawn = ''
  while (drawn.length < count) {
    for (const byte of random(count - drawn.length)) {
      if (byte < limit) drawn += alphabet.charAt(byte % alphabet.length)
    }
  }
  return drawn
}

/** A version 4 UUID. */
export function drawUuid(random: Surroundings['random']): string {
  const bytes = random(16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** An instant as these services write it: seconds since 1970, with a fraction. */
export function epochSeconds(instant: Date): number {
  return instant.getTime() / 1000
}
