/**
 * Aborted by the first SIGINT or SIGTERM. Later ones change nothing: a terminal sends Ctrl-C to the
 * whole group and npm passes it on as well, and the second must not cut short what the first began.
 */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => stopping.abort())
  }
  return stopping.signal
}

/** Waits for the first SIGINT or SIGTERM after this call. */
export function untilStopped(): Promise<void> {
  return aborted(stopSignal())
}

/** Settles when the signal is aborted, at once if it has been. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })
}
