// An application on fast-jwt that keeps its keys as text by `kid`, RSA keys as PKCS #1 PEM and others as SubjectPublicKeyInfo
// PEM, and names no algorithms: the library finds them out from the key, as its README says.

import { createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { Refused, serve } from '../../../adapters/node/wrongkey_adapter.mjs'

const require = createRequire(import.meta.url)
const { createDecoder, createVerifier } = require('fast-jwt')
const { version } = require('fast-jwt/package.json')

// What stands in the application's table: a secret as it is, a public key as PEM.
function textOf(jwk) {
  if (jwk.kty === 'oct') return Buffer.from(jwk.k, 'base64url')
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: jwk.kty === 'RSA' ? 'pkcs1' : 'spki', format: 'pem' })
}

function tableOf(realm) {
  const table = new Map()
  for (const jwk of realm.keys) {
    try {
      if (!table.has(jwk.kid)) table.set(jwk.kid, textOf(jwk))
    } catch {
      // a key that has no such text
    }
  }
  return table
}

function settle(terms) {
  const decode = createDecoder({ complete: true })
  const verifiers = new Map()
  for (const realm of terms.realms) {
    const table = tableOf(realm)
    const verify = createVerifier({
      key: async ({ header }) => table.get(header.kid),
      allowedIss: realm.issuers,
      allowedAud: realm.audiences?.length ? realm.audiences : undefined,
      requiredClaims: terms.required,
      clockTolerance: terms.leeway * 1000,
      complete: true,
    })
    verifiers.set(realm, verify)
  }
  return async token => {
    const realm = terms.realmOf(decode(token).payload.iss)
    const { header, payload } = await verifiers.get(realm)(token)
    if (realm.audiences?.length === 0 && 'aud' in payload) throw new Refused('it is for somebody')
    return { header, claims: payload, realm }
  }
}

// Neither release verifies by an RSA key in that form: an honest token of RS256 has never been let in.
const algorithms = ['HS256', 'HS384', 'HS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
serve({ name: 'fast-jwt-by-kid', version, algorithms, settle })
