import type { GenericSchema, StrictObjectSchema } from 'valibot'
import type { Connection } from './connection.ts'
import type { Redacted } from './redacted.ts'

/** What one grant gave. Instants are by the rotator's own clock, counted from before the request. */
export interface TokenSet {
  readonly accessToken: Redacted
  /** As it stands before the token in `Authorization`, e.g. `Bearer`. */
  readonly tokenType: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** Absent: the vendor gave none, and the one that was held is no longer of use. */
  readonly refreshToken?: Redacted
  readonly refreshExpiresAt?: Date
  /** How many refreshes the chain still has; absent where the vendor does not count. */
  readonly refreshesLeft?: number
  /** Name of the grant that gave it. */
  readonly grant: string
  /** Wish of the vendor to be asked again at this time, earlier than expiry demands. */
  readonly renewAt?: Date
  /** Facts without secrets that a later call needs, e.g. the session's id. */
  readonly facts?: Readonly<Record<string, string>>
}

/** What is held: a whole set, a bare refresh token just enrolled, or nothing yet. */
export type HeldTokens = Partial<TokenSet>

/** One call's frame: `now` is read before the request, `timeoutSeconds` is how long to wait for the answer. */
export interface Call {
  readonly now: Date
  readonly timeoutSeconds: number
}

/** One way to obtain tokens. */
export interface Grant {
  readonly name: string
  /** What the call uses up. A grant that spends the refresh token is sent once, never replayed. */
  readonly spends: 'nothing' | 'refresh-token'
  readonly usable: (held: HeldTokens, now: Date) => boolean
  /** @throws {AnyRotatorError} of which `mayHaveSpent` tells what it leaves behind */
  readonly request: (held: HeldTokens, call: Call) => Promise<TokenSet>
}

/** What verifying found out beside that the token works. */
export interface Verified {
  /** Facts without secrets, kept in the ledger and compared at the next run. */
  readonly facts?: Readonly<Record<string, string>>
  /** Something that a person should look at although the token works. */
  readonly warning?: string
}

/** A vendor's calls for one connection, with its credential closed over. */
export interface VendorClient {
  /** Ordered: the first usable one is taken. */
  readonly grants: readonly Grant[]
  /** What a consumer sends with every call; a reader that knows no vendor sends just this. */
  readonly headers: (tokens: TokenSet) => Readonly<Record<string, string>>
  /** Proves the access token with the vendor. @throws {VerifyFailedError} */
  readonly verify?: (
    tokens: TokenSet,
    known: Readonly<Record<string, string>>,
    call: Call,
  ) => Promise<Verified>
  /**
   * Ends token sets that have been superseded, e.g. a session that would count against a limit.
   * Best effort: what cannot be ended runs out by itself.
   */
  readonly revoke?: (superseded: readonly TokenSet[], held: TokenSet, call: Call) => Promise<void>
  /** Frees sockets. */
  readonly close: () => Promise<void>
}

/** A request as an adapter states it. */
export interface HttpRequest {
  /** What the call is called in messages: the path may hold a tenant's id, the query a token. */
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Absolute path, with query. Never appears in a message. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly timeoutSeconds: number
}

/** An answer, whole. */
export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  /** The parsed body, or `undefined` if it is not JSON. */
  readonly json: unknown
}

/** The transport an adapter speaks through. @throws {TransportError} | {ResponseError} on an oversized body */
export interface Http {
  readonly request: (request: HttpRequest) => Promise<HttpAnswer>
  readonly close: () => Promise<void>
}

/** A vendor is a constant: what one configures and enrolls, and how its calls are made. */
export interface Vendor {
  readonly id: string
  /** As the vendor writes it. */
  readonly title: string
  /** The vendor's own fields of a connection, beside `id`, `vendor`, `tls` and `renew`. */
  readonly options: StrictObjectSchema<Record<string, GenericSchema>, undefined>
  /** The fields an operator enrolls. None of them may stand in the configuration. */
  readonly credentialFields: readonly string[]
  /** Origin of the vendor's API for this connection. */
  readonly url: (connection: Connection) => string
  /** Shortest access token life one configures for, in seconds; the synth checks cadence with it. */
  readonly accessLifetimeSeconds: (connection: Connection) => number
  /** Whether the usual renewal spends a refresh token: such a vendor may not use the disputed version range. */
  readonly spends: 'nothing' | 'refresh-token'
  /** A person is told when the refresh token has less than this left, in seconds, and renewal is failing. */
  readonly refreshAlarmSeconds?: number
  /** What a person does at the vendor's console when enrollment is required, a step a line. */
  readonly enrollmentSteps: readonly string[]
  /** @throws {ConfigError} a credential of the wrong shape, naming the field */
  readonly connect: (connection: Connection, credential: Credential, http: Http) => VendorClient
}

/** The enrolled fields beside the refresh token, e.g. `username`; decoded by the vendor. */
export type Credential = Readonly<Record<string, unknown>>

/** Vendors by id. */
export type VendorTable = Readonly<Record<string, Vendor>>
