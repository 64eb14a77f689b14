// An application on hono that verifies by a JWK Set for each issuer, as hono's documentation teaches it for `hono/jwt`: the
// set, the issuer and the audience as options, and the allowed algorithms.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { serve } from '../../../adapters/node/wrongkey_adapter.mjs'

const require = createRequire(import.meta.url)
const { decode, verifyWithJwks } = require('hono/jwt')

function settle(terms) {
  return async token => {
    const { header, payload: unverified } = decode(token)
    const realm = terms.realmOf(unverified.iss)
    const payload = await verifyWithJwks(token, {
      keys: realm.keys,
      allowedAlgorithms: realm.algorithms,
      verification: { iss: realm.issuers[0], aud: realm.audiences?.length ? realm.audiences : undefined },
    })
    terms.require(payload)
    return { header, claims: payload, realm }
  }
}

const home = dirname(require.resolve('hono/jwt')).split('/dist/')[0]
const { version } = JSON.parse(readFileSync(join(home, 'package.json')))
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
serve({ name: 'hono-jwks', version, algorithms, settle })
