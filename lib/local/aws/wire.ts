import type { IncomingMessage, ServerResponse } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { AwsError } from './aws-error.ts'

/** DynamoDB takes the largest requests of the services played here: 16 MB. */
const maxBodyBytes = 16 * 1024 * 1024

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * A request's body as its sender meant it: gzip and aws-chunked are undone.
 *
 * @throws {AwsError} too long, or not encoded as it says
 */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    length += chunk.length
    // Read on, or the client, still writing, would see a broken connection instead of the answer.
    if (length <= maxBodyBytes) chunks.push(chunk)
  }
  if (length > maxBodyBytes) {
    throw new AwsError('RequestEntityTooLargeException', 'the body is longer than 16 MiB', 413)
  }
  const encodings = String(request.headers['content-encoding'] ?? '').split(',')
  // The last encoding named is the one that was applied last.
  return encodings.reduceRight<Buffer>(
    (body, encoding) => undo(encoding.trim(), body),
    Buffer.concat(chunks),
  )
}

function undo(encoding: string, body: Buffer): Buffer {
  switch (encoding) {
    case '':
    case 'identity':
      return body
    case 'gzip':
      try {
        return gunzipSync(body, { maxOutputLength: maxBodyBytes })
      } catch {
        throw new AwsError('SerializationException', 'the body is not gzip, or is too long')
      }
    case 'aws-chunked':
      return unchunk(body)
    default:
      throw new AwsError(
        'UnsupportedMediaTypeException',
        `content encoding '${encoding}' is not known; allowed are gzip, aws-chunked`,
        415,
      )
  }
}

/**
 * Each chunk is `length-in-hex;chunk-signature=…`, CRLF, the bytes, CRLF; the last has length 0 and
 * trailers may follow it. Signatures are not checked.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
function unchunk(body: Buffer): Buffer {
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const endOfLine = body.indexOf('\r\n', at)
    const size = /^([0-9a-f]{1,8})(;|$)/i.exec(body.toString('latin1', at, endOfLine))?.[1]
    if (endOfLine === -1 || size === undefined) {
      throw new AwsError('SerializationException', 'the body is not aws-chunked')
    }
    const length = Number.parseInt(size, 16)
    if (length === 0) return Buffer.concat(chunks)
    const start = endOfLine + 2
    chunks.push(body.subarray(start, start + length))
    at = start + length + 2
  }
}

/** JSON of a body; null members count as absent, as they do for AWS. An empty body is `{}`. */
export function readJsonBody(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(body.toString(), (_, value) => (value === null ? undefined : value))
  } catch {
    throw new AwsError('SerializationException', 'the body is not JSON')
  }
}

/** @param output the answer's members; undefined is an empty body */
export function jsonAnswer(output: object | undefined, contentType: string): Answer {
  return {
    status: 200,
    headers: { 'content-type': contentType },
    body: output === undefined ? '' : JSON.stringify(output),
  }
}

/** Both spellings of the message are on the wire at AWS, one per service; SDKs read either. */
export function errorAnswer(
  { code, message, status }: AwsError,
  contentType: string,
  messageMember: 'Message' | 'message',
): Answer {
  return {
    status,
    headers: { 'content-type': contentType, 'x-amzn-errortype': code },
    body: JSON.stringify({ __type: code, [messageMember]: message }),
  }
}

/** Sends an answer. A client that has gone meanwhile is no error. */
export function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
