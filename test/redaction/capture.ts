/** Whatever this process prints, kept instead of shown, until it is stopped. */
export function capture(): { readonly text: string; stop(): void } {
  let text = ''
  const streams = [process.stdout, process.stderr].map((stream) => {
    const { write } = stream
    stream.write = (chunk: string | Uint8Array) => {
      text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      return true
    }
    return () => {
      stream.write = write
    }
  })
  return {
    get text() {
      return text
    },
    stop() {
      for (const restore of streams) restore()
    },
  }
}
