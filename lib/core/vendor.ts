import type { GenericSchema, StrictObjectSchema } from 'valibot'
import type { Connection } from './connection.ts'
import type { Redacted } from './redacted.ts'

/** What one grant gave. Instants are by the rotator's own clock, counted from before the request. */
export interface TokenSet {
  readonly accessToken: Redacted
  /** As it stands before the token in `Authorization`, e.g. `Bearer`. */
  readonly tokenType: string
  readonly issuedAt: Date
  /** `null`: a session without an end of its own, which lives as long as it is kept alive. */
  readonly expiresAt: Date | null
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

/** A refresh token that came without an access token that can be used: enough to ask again with. */
export type RefreshOnly = Pick<TokenSet, 'issuedAt' | 'grant' | 'refreshExpiresAt'> &
  Required<Pick<TokenSet, 'refreshToken'>>

/** What is held: a whole set, a bare refresh token, or nothing yet. */
export type HeldTokens = Partial<TokenSet>

/** One call's frame. */
export interface Call {
  /** Read before the request. */
  readonly now: Date
  /** How long to wait for the answer. */
  readonly timeoutSeconds: number
  /** Facts that earlier calls gave, from the ledger. Holds no secret. */
  readonly known: Readonly<Record<string, string>>
}

/** One way to obtain tokens. */
export interface Grant {
  readonly name: string
  /** What the call uses up. A grant that spends the refresh token is sent once, never replayed. */
  readonly spends: 'nothing' | 'refresh-token'
  /**
   * `nothing`: what it gives can be had again at will, so the enrollment secret is never written; only
   * the consumer secret is. By default the tokens are held.
   */
  readonly keeps?: 'nothing'
  /**
   * Facts that must be in the ledger before the request leaves, so that they outlive a lost answer:
   * e.g. which one-time code is sent. The request itself still gets the facts of before. Only for a
   * grant that spends nothing; one that spends is announced by the engine.
   */
  readonly announces?: (call: Call) => Readonly<Record<string, string>>
  /**
   * Hands what was held to `revoke` once it is superseded, although the grant spends its refresh
   * token. By default only a grant that spends nothing does: it begins a session and leaves one behind.
   */
  readonly revokesHeld?: true
  /**
   * Asks what has to be known before the request, e.g. where it goes; spends nothing. Done before a grant
   * is announced: a server that cannot be asked then leaves no doubt behind.
   *
   * @throws {AnyRotatorError}
   */
  readonly prepare?: (call: Call) => Promise<void>
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
  /** Certificates met or used, whose end a person is told of 30, 7 and 1 days ahead. */
  readonly certificates?: readonly { readonly name: string; readonly notAfter: Date }[]
}

/** A sign of life of a kept-alive session; `undefined`: the vendor says that it is dead. */
export type SignOfLife = Verified | undefined

/** A vendor's calls for one connection, with its credential closed over. */
export interface VendorClient {
  /** Ordered: the first usable one is taken. */
  readonly grants: readonly Grant[]
  /** What a consumer sends with every call; a reader that knows no vendor sends just this. */
  readonly headers: (tokens: TokenSet) => Readonly<Record<string, string>>
  /** Proves the access token with the vendor. @throws {VerifyFailedError} */
  readonly verify?: (tokens: TokenSet, call: Call) => Promise<Verified>
  /**
   * Keeps a session alive that has no end of its own, at every tick.
   *
   * @throws {AnyRotatorError} it could not be found out
   */
  readonly keepAlive?: (tokens: TokenSet, call: Call) => Promise<SignOfLife>
  /**
   * Asks whether a refresh token would still be taken, without using it up (RFC 7662).
   *
   * @throws {AnyRotatorError} it could not be found out
   */
  readonly introspect?: (refreshToken: Redacted, call: Call) => Promise<'active' | 'inactive'>
  /**
   * Ends token sets that have been superseded, e.g. a session that would count against a limit.
   * Best effort: what cannot be ended runs out by itself.
   *
   * @returns `held-ended` if what is held died with them: it is renewed at once, so that a person
   *   hears of it now and not when the published token runs out
   */
  readonly revoke?: (
    superseded: readonly TokenSet[],
    held: TokenSet,
    call: Call,
  ) => Promise<'held-ended' | undefined>
  /** Frees sockets. */
  readonly close: () => Promise<void>
}

/** A request as an adapter states it. At most one of `json`, `form` and `body`; none is an empty body. */
export interface HttpRequest {
  /** What the call is called in messages: the path may hold a tenant's id, the query a token. */
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Absolute. Only its host ever appears in a message. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  /** Sent as `application/x-www-form-urlencoded`. */
  readonly form?: Readonly<Record<string, string>>
  /** Sent as it is; its content type is the caller's to give. */
  readonly body?: string
  readonly timeoutSeconds: number
}

/** An answer, whole. */
export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  /** Names in lower case; several values of one name are joined by commas. */
  readonly headers: Readonly<Record<string, string>>
  /** The body as text. Never to be shown. */
  readonly text: string
  /** The parsed body, or `undefined` if it is not JSON. */
  readonly json: unknown
  /** End of the server certificate's life, over TLS. */
  readonly peerNotAfter?: Date
}

/** The transport an adapter speaks through. @throws {TransportError} | {ResponseError} on an oversized body */
export interface Http {
  readonly request: (request: HttpRequest) => Promise<HttpAnswer>
  readonly close: () => Promise<void>
}

/** What a connection's credential adds to its TLS: a client certificate, or the server's own. */
export interface TlsMaterial {
  /** PEM of the client certificate, with its chain, and of its key. */
  readonly clientCertificate?: { readonly certificate: string; readonly privateKey: Redacted }
  /** PEM of the certificates to trust; a configured `tls.ca` or `tls.pins` wins. */
  readonly ca?: string | undefined
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
  readonly spends: (connection: Connection) => 'nothing' | 'refresh-token'
  /** A person is told when the refresh token has less than this left, in seconds, and renewal is failing. */
  readonly refreshAlarmSeconds?: number
  /** What a person does at the vendor's console when enrollment is required, a step a line. */
  readonly enrollmentSteps: readonly string[]
  /**
   * Turns what an operator has into what is stored, once, at enrollment: e.g. a PKCS #12 package into
   * PEM text. Without it the fields are stored as they are.
   *
   * @throws {ConfigError} a field that cannot be turned, by name
   */
  readonly prepare?: (fields: Credential) => Promise<Credential>
  /** TLS material among the enrolled fields. @throws {ConfigError} of the wrong shape, naming the field */
  readonly tlsMaterial?: (credential: Credential) => TlsMaterial
  /** How long a kept-alive session lives without a call, in seconds, two ticks at least; only for vendors with `keepAlive`. */
  readonly idleSeconds?: number
  /** @throws {ConfigError} a credential of the wrong shape, naming the field */
  readonly connect: (connection: Connection, credential: Credential, http: Http) => VendorClient
}

/** The enrolled fields beside the refresh token, e.g. `username`; decoded by the vendor. */
export type Credential = Readonly<Record<string, unknown>>

/** Vendors by id. */
export type VendorTable = Readonly<Record<string, Vendor>>
