// node run.mjs PACKAGES BASE DIFFERENCES
//
// Runs the tests of the package `http-cache-tests`, which is installed in the folder PACKAGES, against the cache at
// BASE. Fails if a test fails that is not listed in the file DIFFERENCES, or if one passes that is.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [packages, base, list] = process.argv.slice(2)
const { resolve } = createRequire(`${packages}/`)
const load = path => import(pathToFileURL(resolve('http-cache-tests/package.json')) + `/../${path}`)
const { default: fetch } = await import(pathToFileURL(resolve('node-fetch')))

const suites = [...(await load('tests/index.mjs')).default, (await load('tests/surrogate-control.mjs')).default]
const tests = suites.flatMap(suite => suite.tests)
// A write may make the cache forget what it is just reading for others: those have it for themselves.
const writes = test => test.requests.some(({ request_method: method = 'GET' }) => !['GET', 'HEAD'].includes(method))
await run(tests.filter(test => !writes(test)), 100)
const results = await run(tests.filter(writes), 1)

const expected = new Set(
  readFileSync(list, 'utf8').split('\n').map(line => line.trim()).filter(line => line && !line.startsWith('#')))
const problems = []
const counts = {}
for (const test of tests) {
  const result = results[test.id]
  if (result === undefined) continue // for browsers
  const kind = test.kind ?? 'required'
  const count = counts[kind] ??= { passed: 0, expected: 0, failed: 0 }
  const isListed = expected.delete(test.id)
  if (result === true) {
    count.passed += 1
    if (isListed) problems.push(`${test.id} (${kind}) is listed, but passes`)
  } else if (isListed) {
    count.expected += 1
  } else {
    count.failed += 1
    problems.push(`${test.id} (${kind}) fails: ${test.name}: ${result.join(': ').trim()}`)
  }
}
problems.push(...[...expected].map(id => `${id} is listed, but is no test`))

for (const kind of ['required', 'optimal', 'check']) {
  const { passed, expected, failed } = counts[kind] ?? { passed: 0, expected: 0, failed: 1 }
  console.log(`http-cache-tests, ${kind}: ${passed} passed, ${expected} differ as listed, ${failed} failed`)
}
for (const problem of problems) console.log(`http-cache-tests: ${problem}`)
process.exitCode = problems.length > 0 ? 1 : 0

// So many at a time. A runner takes one list of tests in its life; the results are of all runners.
async function run (tests, atOnce) {
  const { runTests, getResults } = await load(`client/runner.mjs?${atOnce}`)
  await runTests([{ tests }], fetch, false, base, atOnce)
  return getResults()
}
