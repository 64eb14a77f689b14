// An application on jsonwebtoken that keeps its keys as PEM text by `kid` and leaves the choice of algorithms to the library.
// The keys of each issuer are its own. The first argument is the folder that the library is installed in.

import { createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { Refused, serve } from '../../adapters/node/wrongkey_adapter.mjs'

const require = createRequire(resolve(process.argv.splice(2, 1)[0], 'package.json'))
const jwt = require('jsonwebtoken')
const { version } = require('jsonwebtoken/package.json')

function textsOf(realm) {
  const texts = new Map()
  for (const jwk of realm.keys) {
    try {
      const pem = () => createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      const text = jwk.kty === 'oct' ? Buffer.from(jwk.k, 'base64url') : pem()
      if (!texts.has(jwk.kid)) texts.set(jwk.kid, text)
    } catch {
      // a key that cannot be read
    }
  }
  return texts
}

function settle(terms) {
  const texts = new Map(terms.realms.map(realm => [realm, textsOf(realm)]))
  return token => {
    const [header, unverified] = [headerOf(token), jwt.decode(token)]
    const realm = terms.realmOf(unverified?.iss)
    const claims = jwt.verify(token, texts.get(realm).get(header.kid), {
      issuer: realm.issuers[0],
      audience: realm.audiences?.length ? realm.audiences : undefined,
      clockTolerance: terms.leeway,
    })
    terms.require(claims)
    if (realm.audiences?.length === 0 && 'aud' in claims) throw new Refused('it is for somebody')
    return { header, claims, realm }
  }
}

// The oldest releases show no header.
function headerOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[0], 'base64url'))
}

const algorithms = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'ES256']
serve({ name: 'jsonwebtoken-npm-texts', version, algorithms, settle })
