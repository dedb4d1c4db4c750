import { expect, test } from 'vitest'
import type { Ports } from '../../lib/core/run.ts'
import { mdrWorld } from './world.ts'

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

test('a ledger item that is deleted while a run waits for its answer costs no token', async () => {
  const { invoke, clock, ports, ledger, connection, fake, published } = mdrWorld()
  await invoke()
  // Consumers have nothing that lives, so that nobody has a reason to wait.
  clock.advance(3700)
  const sent = gate()
  const answered = gate()
  const waiting: Ports = {
    ...ports,
    connect: (to, vendor, { credential }) => {
      const http = fake.http()
      return vendor.connect(to, credential, {
        ...http,
        async request(request) {
          const answer = await http.request(request)
          sent.open()
          await answered.opened
          return answer
        },
      })
    },
  }
  const waits = invoke(waiting)
  await sent.opened
  ledger.items.delete(connection.id)
  for (let minute = 0; minute < 4; minute++) {
    clock.advance(60)
    await invoke()
  }
  answered.open()
  await waits
  for (let minute = 0; minute < 20; minute++) {
    clock.advance(60)
    await invoke()
  }
  expect([...new Set(fake.presented.values())]).toEqual([1])
  expect(fake.isAlive(published() ?? '')).toBe(true)
})
