// node evaluate.mjs PACKAGES < simulations.json > verdicts.json
//
// Each simulation is one of @cloud-copilot/iam-simulate, and each verdict what it says of it: Allowed, ImplicitlyDenied,
// ExplicitlyDenied, or what is wrong with the simulation or its policies.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const packages = createRequire(join(process.argv[2], 'package.json'))
const { runSimulation } = packages('@cloud-copilot/iam-simulate')

// Keys that AWS has and the package's data have not, and others that stand in for them, in policies and requests alike:
// the package knows nothing of encryption contexts, and of no access point that an object was asked for through.
const standIns = [
    ['"kms:EncryptionContext:', '"aws:PrincipalTag/'],
    ['"s3:DataAccessPointArn"', '"aws:ResourceOrgID"'],
]

function withStandIns(simulation) {
    const text = JSON.stringify(simulation)
    return JSON.parse(standIns.reduce((text, [key, standIn]) => text.replaceAll(key, standIn), text))
}

async function verdict(simulation) {
    const none = { serviceControlPolicies: [], resourceControlPolicies: [] }
    const judged = await runSimulation({ ...none, ...withStandIns(simulation) }, {})
    if (judged.resultType === 'error') {
        return JSON.stringify(judged.errors)
    }
    const results = judged.results ?? [judged.result]
    const ignored = results.flatMap((result) => result.ignoredContextKeys ?? [])
    return ignored.length > 0 ? `no such keys: ${ignored.join(', ')}` : judged.overallResult
}

const simulations = JSON.parse(readFileSync(0, 'utf8'))
const verdicts = []
for (const simulation of simulations) {
    verdicts.push(await verdict(simulation))
}
console.log(JSON.stringify(verdicts))
