import type { TlsOptions } from 'node:tls'
import type { Fault } from './faults.ts'
import type { Listener, Reply, Request } from './http-server.ts'
import type { RefreshChains } from './refresh-chains.ts'
import type { Counters, Credential } from './simulator.ts'

/** The counters while they are counted; calls are the host's, sessions alive a fact of the rules. */
export type Tally = { -readonly [K in keyof Omit<Counters, 'calls' | 'sessionsAlive'>]: number }

/** What a vendor's rules work with. */
export interface Bench {
  readonly tally: Tally
  readonly chains: RefreshChains
  now(): Date
  random(size: number): Uint8Array
  /** A lifetime of the vendor's, in seconds, after `speed`: whole and at least 1. */
  lifetime(seconds: number): number
  /** Whether a fault strikes where there is no call, e.g. at a handshake; asking uses up one occasion. */
  fault(kind: string, operation: string): Fault | undefined
}

/** How a server proves itself, and what it wants of its clients. */
export interface ServerIdentity extends Listener {
  /** PEM that verifies the server alone. */
  readonly ca: string
  readonly pin: string
}

/** How a server proves itself, and what it wants of its clients. */
export interface ServerIdentity {
  readonly tls: TlsOptions
  /** PEM that verifies the server alone. */
  readonly ca: string
  readonly pin: string
}

/** One call, as the rules see it. */
export interface Call {
  readonly request: Request
  readonly now: Date
  /** Whether an injected fault of this kind strikes here; asking uses up one occasion. */
  fault(kind: string): Fault | undefined
}

/** Where a request leads. */
export interface Endpoint {
  /** Its name in the counters, e.g. `POST session/confirm`: no ids, no parameters. */
  readonly name: string
  /** What a fault's `on` may say to mean this call. */
  readonly operations: readonly string[]
  readonly answer: (call: Call) => Reply | Promise<Reply>
  /** What the `refuse` fault answers; an endpoint that grants nothing has none. */
  readonly refuse?: (call: Call) => Reply
}

/** A vendor: its rules alone, without sockets and without the faults of a network. */
export interface Rules {
  readonly credential: Credential
  /** Over TLS. @default a certificate of an authority made at start; clients show none */
  readonly identity?: ServerIdentity
  route(request: Request): Endpoint
  sessionsAlive(now: Date): number
  /** What an operator can do that the API cannot, by `<METHOD> <name below /_sim/>`; gives JSON. */
  readonly controls: Readonly<Record<string, () => unknown>>
}
