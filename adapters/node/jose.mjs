// jose, as its documentation teaches: `jwtVerify` with a local JWK Set, or with a remote one under `--remote`, and everything
// else as options. `decodeJwt` shows the claims unverified, to choose whose keys and rules to verify by; `jwtVerify` then
// compares the issuer.

import { readFileSync } from 'node:fs'
import { createLocalJWKSet, createRemoteJWKSet, customFetch, decodeJwt, importJWK, jwtVerify } from 'jose'
import { Refused, fetchFrom, serve } from './wrongkey_adapter.mjs'

const { version } = JSON.parse(readFileSync(new URL('node_modules/jose/package.json', import.meta.url)))

// A key of the set, or where the algorithm is HMAC the secret of that `kid`: JWK Sets of the library hold public keys only.
async function keysOf(terms, realm) {
  if (realm.jwksUri) {
    const age = terms.jwksMaxAge === undefined ? {} : { cacheMaxAge: terms.jwksMaxAge * 1000 }
    return createRemoteJWKSet(new URL(realm.jwksUri), { ...age, [customFetch]: fetchFrom(terms.resolver) })
  }
  const publicKeys = createLocalJWKSet({ keys: realm.keys.filter(key => key.kty !== 'oct') })
  const secrets = new Map()
  for (const key of realm.keys.filter(one => one.kty === 'oct')) {
    const imported = await importJWK(key, key.alg ?? 'HS256').catch(() => null) // a key that the library cannot use
    if (imported) secrets.set(key.kid, { imported, alg: key.alg })
  }
  return (header, token) => {
    if (!header.alg.startsWith('HS')) return publicKeys(header, token)
    const secret = secrets.get(header.kid)
    if (!secret || (secret.alg ?? header.alg) !== header.alg) throw new Refused('no secret of that kid')
    return secret.imported
  }
}

async function settle(terms) {
  const keys = new Map()
  for (const realm of terms.realms) keys.set(realm, await keysOf(terms, realm))
  return async (token, now) => {
    const realm = terms.realmOf(decodeJwt(token).iss)
    const { protectedHeader, payload } = await jwtVerify(token, keys.get(realm), {
      algorithms: realm.algorithms,
      issuer: realm.issuers,
      audience: realm.audiences?.length ? realm.audiences : undefined,
      requiredClaims: terms.required,
      typ: terms.tokenTypes?.length === 1 ? terms.tokenTypes[0] : undefined,
      clockTolerance: terms.leeway,
      currentDate: new Date(now * 1000),
    })
    if (realm.audiences?.length === 0 && 'aud' in payload) throw new Refused('it is for somebody')
    return { header: protectedHeader, claims: payload, realm }
  }
}

const algorithms = [
  'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA',
]
serve({ name: 'jose', version, algorithms, settle, clock: 'settable', fetches: true })
