import type { Connection } from './connection.ts'
import type { Enrollment } from './documents.ts'
import type { RunLedger } from './lease.ts'
import type { Clock, EventSink, Ledger, Parameters, Regions, SecretStore } from './ports.ts'
import type { Timings } from './renewal.ts'
import type { Call, Vendor, VendorClient } from './vendor.ts'

/** One run for one connection. */
export interface Run {
  readonly connection: Connection
  readonly vendor: Vendor
  /** Unique to this run; owns the lease and marks its writes to the ledger. */
  readonly runId: string
  /** The version of the consumer secret that Secrets Manager ordered a renewal for, if it did. */
  readonly publishAs?: string
  /** Seconds until the function is ended from outside, by whoever will end it. */
  readonly remainingSeconds: () => number
}

/** Everything outside the engine. */
export interface Ports {
  readonly secrets: SecretStore
  readonly ledger: Ledger
  readonly parameters: Parameters
  readonly events: EventSink
  readonly clock: Clock
  readonly timings: Timings
  /** Absent if there is one region only. */
  readonly regions?: Regions
  /** Opens the vendor's client for what is enrolled. @throws {ConfigError} */
  readonly connect: (connection: Connection, vendor: Vendor, enrolled: Enrollment) => VendorClient
}

/** What every step of a run works with. */
export interface Context {
  readonly run: Run
  readonly ports: Ports
  readonly ledger: RunLedger
}

/** The frame of a vendor call that starts now; it may give up after ten seconds unless more is said. */
export function callNow({ ports, ledger }: Context, timeoutSeconds?: number): Call {
  return {
    now: ports.clock.now(),
    timeoutSeconds: timeoutSeconds ?? ports.timings.idlePatienceSeconds,
    known: ledger.item.facts,
  }
}
