import type { Fault, FaultCatalogue } from './faults.ts'
import type { Chain, Holding } from './refresh-chains.ts'

/** How a simulator is started; every member may be left out. */
export interface SimulatorOptions {
  /** TCP port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number
  /** Plain HTTP instead of HTTPS with a certificate made at start. */
  readonly plain?: boolean
  /**
   * Every lifetime the vendor knows is divided by this and stays whole real seconds, one at least.
   * The clock itself never runs ahead: clients compare `exp` with their own. Default 1.
   */
  readonly speed?: number
  /** Which of its kinds of client the credential is for, where a vendor has several. */
  readonly variant?: string
  /** A fault from the vendor's catalogue, in force until cleared. */
  readonly fault?: string
  /** The simulator's clock. @default the system's */
  readonly now?: () => Date
  /** Source of ids, passwords and keys: that many bytes. @default the system's */
  readonly random?: (size: number) => Uint8Array
}

/** What a vendor's console hands out, under the names of the enrollment secret. */
export type Credential = Readonly<Record<string, string | number | boolean>>

/** What the vendor saw, counted where it happened and nowhere else. */
export interface Counters {
  /** Calls that arrived, per endpoint, faulted ones included. */
  readonly calls: Readonly<Record<string, number>>
  /** Token pairs issued by the API (access token alone included); console-made tokens are not. */
  readonly issued: number
  /** Refresh grants that presented a token this simulator had issued, whatever its state. */
  readonly spends: number
  /** Of these, presentations of a token that an earlier presentation had consumed. */
  readonly presentedTwice: number
  /** Grants that the vendor's rules, or the fault `refuse`, turned down; other faults do not count. */
  readonly refusals: number
  readonly passwordGrants: number
  /** Successful revocation calls. */
  readonly revocations: number
  /** Sessions ended because a newer one needed the room. */
  readonly evictions: number
  /** Resource calls that brought a good bearer. */
  readonly authorized: number
  /** Resource calls that brought none, or one that is not good. */
  readonly unauthorized: number
  readonly sessionsAlive: number
}

/** A running vendor. */
export interface Simulator {
  readonly vendor: string
  /** Origin: scheme, 127.0.0.1 and port, no trailing slash. */
  readonly url: string
  readonly credential: Credential
  /** PEM that verifies the server alone; absent on plain HTTP. */
  readonly ca?: string
  /** `sha256/<Base64>` over the server certificate's DER; absent on plain HTTP. */
  readonly pin?: string
  counters(): Counters
  /** One entry per chain of refresh tokens, in the order they began. */
  chains(): readonly Chain[]
  /** What a refresh token is worth now. Asking changes nothing. */
  holds(refreshToken: string): Holding
  /** @throws {RangeError} a kind that is not in the vendor's catalogue, an `on` it does not have */
  inject(fault: Fault): void
  clearFaults(): void
  /** Closes the port and every connection, idle or not. */
  close(): Promise<void>
}

/** A row of the table: everything that is known of a vendor before it is started. */
export interface SimulatorKind<S extends Simulator = Simulator> {
  readonly id: string
  readonly faults: FaultCatalogue
  /** What a fault's `on` may name: single operations, and groups of them such as `grant`. */
  readonly operations: readonly string[]
  /** The server's certificate is its own authority, and a reserve waits beside it. */
  readonly selfSigned?: true
  start(options?: SimulatorOptions): Promise<S>
}
