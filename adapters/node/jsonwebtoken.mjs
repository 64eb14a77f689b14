// jsonwebtoken, as its documentation teaches: `jwt.verify` with the key that the header's `kid` names, and everything else as
// options. `jwt.decode` shows header and claims unverified, to choose whose keys and rules to verify by.

import { createPublicKey, createSecretKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { Refused, serve } from './wrongkey_adapter.mjs'

const require = createRequire(import.meta.url)
const jwt = require('jsonwebtoken')
const { version } = require('jsonwebtoken/package.json')

function keysOf(realm) {
  const keys = new Map()
  for (const jwk of realm.keys) {
    try {
      const secret = jwk.kty === 'oct'
      const key = secret ? createSecretKey(jwk.k, 'base64url') : createPublicKey({ key: jwk, format: 'jwk' })
      const algorithms = realm.algorithms.filter(name => (jwk.alg ?? name) === name && name.startsWith('HS') === secret)
      if (!keys.has(jwk.kid)) keys.set(jwk.kid, { key, algorithms })
    } catch {
      // a key that the library cannot use
    }
  }
  return keys
}

function settle(terms) {
  const keys = new Map(terms.realms.map(realm => [realm, keysOf(realm)]))
  return (token, now) => {
    const unverified = jwt.decode(token, { complete: true })
    const realm = terms.realmOf(unverified?.payload?.iss)
    const found = keys.get(realm).get(unverified.header.kid)
    if (!found) throw new Refused('no key of that kid')
    const { header, payload } = jwt.verify(token, found.key, {
      algorithms: found.algorithms,
      issuer: realm.issuers,
      audience: realm.audiences?.length ? realm.audiences : undefined,
      clockTolerance: terms.leeway,
      clockTimestamp: now,
      complete: true,
    })
    terms.require(payload)
    if (realm.audiences?.length === 0 && 'aud' in payload) throw new Refused('it is for somebody')
    return { header, claims: payload, realm }
  }
}

const algorithms = [
  'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512',
]
serve({ name: 'jsonwebtoken-npm', version, algorithms, settle, clock: 'settable' })
