// Answers by flagd's JavaScript engine, in the protocol of python_engine.py; `interpreted` as argument does without eval.
const readline = require('node:readline')
const { FlagdCore } = require('@openfeature/flagd-core')

const TYPES = { boolean: 'boolean', string: 'string', integer: 'number', number: 'number', object: 'object' }
const silent = { error () {}, warn () {}, info () {}, debug () {} }
const core = new FlagdCore(undefined, silent, { disableDynamicCodeGeneration: process.argv[2] === 'interpreted' })

let now = 0
Date.now = () => now * 1000

function answer ([key, kind, context, at]) {
  now = at
  const found = core.resolve(TYPES[kind], key, undefined, context, silent)
  return [found.value ?? null, found.variant ?? null, found.errorCode ?? null]
}

readline.createInterface({ input: process.stdin }).on('line', line => {
  const message = JSON.parse(line)
  if (message.document) core.setConfigurations(JSON.stringify(message.document))
  process.stdout.write(JSON.stringify((message.asks ?? []).map(answer)) + '\n')
})
