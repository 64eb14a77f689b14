"""Authlib's `authlib.jose`, as its documentation teaches: `JsonWebToken.decode` with a function that finds the key, and
`claims.validate` with `claims_options`. The key is looked up in the `KeySet` of the issuer that the payload names.
"""

import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)

import authlib
from authlib.jose import JsonWebKey, JsonWebToken, KeySet
from wrongkey_adapter import Refused, serve

ALGORITHMS = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "ES256K", "EdDSA",
]


def settle(terms):
    keys = {
        id(realm): KeySet([key for _, key in realm.usable(JsonWebKey.import_key)]) for realm in terms.realms
    }
    every = JsonWebToken(ALGORITHMS)

    def judge(token, now):
        found = []

        def load_key(header, payload):
            realm = terms.realm_of(payload.get("iss"))
            if header["alg"] not in realm.algorithms:
                raise Refused("another algorithm")
            found.append(realm)
            return keys[id(realm)].find_by_kid(header.get("kid"), alg=header["alg"], use="sig")

        claims = every.decode(token, load_key)
        realm = found[0]
        claims.options = terms.claims_options(realm)
        claims.validate(now=now, leeway=terms.leeway)
        if realm.audiences == [] and "aud" in claims:
            raise Refused("it is for somebody")
        return claims.header, claims, realm

    return judge


serve("authlib", authlib.__version__, ALGORITHMS, settle, clock="settable")
