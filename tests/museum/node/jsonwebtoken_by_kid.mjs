// An application on jsonwebtoken that keeps its keys as text by `kid`, public keys as PEM, hands over whatever the look-up
// finds, and names no algorithms: as the library's README taught it until release 9.

import { createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { serve } from '../../../adapters/node/wrongkey_adapter.mjs'

const require = createRequire(import.meta.url)
const jwt = require('jsonwebtoken')
const { version } = require('jsonwebtoken/package.json')

// What stands in the application's table: a secret as it is, a public key as PEM.
function textOf(jwk) {
  if (jwk.kty === 'oct') return Buffer.from(jwk.k, 'base64url')
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
}

function tableOf(realm) {
  const table = {}
  for (const jwk of realm.keys) {
    try {
      table[jwk.kid] ??= textOf(jwk)
    } catch {
      // a key that has no such text
    }
  }
  return table
}

function settle(terms) {
  const tables = new Map(terms.realms.map(realm => [realm, tableOf(realm)]))
  return token => {
    const [header, claims] = token.split('.').slice(0, 2).map(part => JSON.parse(Buffer.from(part, 'base64')))
    const realm = terms.realmOf(claims.iss)
    const payload = jwt.verify(token, tables.get(realm)[header.kid], {
      issuer: realm.issuers[0],
      audience: realm.audiences?.length ? realm.audiences : undefined,
      clockTolerance: terms.leeway,
    })
    terms.require(payload)
    return { header, claims: payload, realm }
  }
}

const algorithms = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512']
serve({ name: 'jsonwebtoken-by-kid', version, algorithms, settle })
