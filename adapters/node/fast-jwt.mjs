// fast-jwt, as its documentation teaches: a verifier made by `createVerifier` for each key, with everything else as options.
// A decoder made by `createDecoder` shows header and claims unverified, to choose the verifier.

import { createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { Refused, serve } from './wrongkey_adapter.mjs'

const require = createRequire(import.meta.url)
const { createDecoder, createVerifier } = require('fast-jwt')
const { version } = require('fast-jwt/package.json')

// The algorithms of a key: the library refuses a list that holds any other.
const FAMILIES = { oct: /^HS/, RSA: /^(RS|PS)/, OKP: /^EdDSA/, 'P-256': /^ES256$/, 'P-384': /^ES384$/, 'P-521': /^ES512$/ }

function verifiersOf(realm, terms) {
  const verifiers = new Map()
  for (const jwk of realm.keys) {
    const family = FAMILIES[jwk.kty === 'EC' ? jwk.crv : jwk.kty]
    const algorithms = realm.algorithms.filter(name => (jwk.alg ?? name) === name && family?.test(name))
    if (!algorithms.length || verifiers.has(jwk.kid)) continue
    try {
      const pem = () => createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      verifiers.set(jwk.kid, createVerifier({
        key: jwk.kty === 'oct' ? Buffer.from(jwk.k, 'base64url') : pem(),
        algorithms,
        allowedIss: realm.issuers,
        allowedAud: realm.audiences?.length ? realm.audiences : undefined,
        requiredClaims: terms.required,
        clockTolerance: terms.leeway * 1000,
        complete: true,
      }))
    } catch {
      // a key that the library cannot use
    }
  }
  return verifiers
}

function settle(terms) {
  const decode = createDecoder({ complete: true })
  const verifiers = new Map(terms.realms.map(realm => [realm, verifiersOf(realm, terms)]))
  return token => {
    const unverified = decode(token)
    const realm = terms.realmOf(unverified.payload.iss)
    const verify = verifiers.get(realm).get(unverified.header.kid)
    if (!verify) throw new Refused('no key of that kid')
    const { header, payload } = verify(token)
    if (realm.audiences?.length === 0 && 'aud' in payload) throw new Refused('it is for somebody')
    return { header, claims: payload, realm }
  }
}

const algorithms = [
  'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA',
]
serve({ name: 'fast-jwt', version, algorithms, settle })
