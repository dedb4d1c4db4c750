import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Status } from './status.ts'
import { statusRows } from './status-table.ts'

/** The live table as a page that renews itself, on a free port of 127.0.0.1; `/status.json` for programs. */
export async function startStatusPage(
  status: () => Promise<Status[]>,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    void status().then((statuses) => {
      const isJson = request.url === '/status.json'
      response.writeHead(200, {
        'content-type': isJson ? 'application/json' : 'text/html; charset=utf-8',
        'cache-control': 'no-store',
      })
      response.end(isJson ? JSON.stringify(statuses) : page(statuses))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function page(statuses: readonly Status[]): string {
  const [titles = [], ...rows] = statusRows(statuses)
  const line = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<title>token-rotator, local mode</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color:#1a1a1a}table{border-collapse:collapse}
th,td{text-align:left;padding:.3rem 1.2rem .3rem 0;border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}</style>
<h1>token-rotator, local mode</h1><table>${line('th', titles)}${rows.map((row) => line('td', row)).join('')}</table></html>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
