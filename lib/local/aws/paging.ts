import { AwsError } from './aws-error.ts'

/**
 * One page of a list. The token is the place where the next page starts, made opaque, since callers
 * must pass it back unread.
 *
 * @throws {AwsError} `invalidToken` if the token is not one that this function gave out
 */
export function page<T>(
  items: readonly T[],
  pageSize: number,
  token: string | undefined,
  invalidToken: string,
): { items: readonly T[]; nextToken: string | undefined } {
  const start = token === undefined ? 0 : readToken(token)
  if (start === undefined) throw new AwsError(invalidToken, 'The NextToken value is invalid.')
  const end = start + pageSize
  return {
    items: items.slice(start, end),
    nextToken: end < items.length ? Buffer.from(`from:${end}`).toString('base64') : undefined,
  }
}

function readToken(token: string): number | undefined {
  const start = /^from:(\d{1,9})$/.exec(Buffer.from(token, 'base64').toString())?.[1]
  return start === undefined ? undefined : Number(start)
}
