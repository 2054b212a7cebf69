// node origin.mjs PACKAGES
//
// The origin of the package `http-cache-tests`, which is installed in the folder PACKAGES, on a free loopback port,
// which it prints. Ends with its standard input.

import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [packages] = process.argv.slice(2)
const { resolve } = createRequire(`${packages}/`)
const handler = async name => {
  const path = `/../server/handle-${name}.mjs`
  return (await import(pathToFileURL(resolve('http-cache-tests/package.json')) + path)).default
}
const handlers = { config: await handler('config'), state: await handler('state'), test: await handler('test') }

const server = createServer((request, response) => {
  const [, folder, ...rest] = new URL(request.url, 'http://origin.test').pathname.split('/')
  const handle = handlers[folder]
  if (handle) return handle(rest, request, response)
  response.writeHead(404).end()
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('end', () => process.exit()).resume()
