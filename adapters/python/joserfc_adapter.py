"""joserfc, as its documentation teaches: `jwt.decode` with a `KeySet`, and a `JWTClaimsRegistry` that says what the claims
must be. `jwt.decode` finds the key through a function, which gets the token as the library has taken it apart.
"""

import json

import joserfc
from joserfc import jwt
from joserfc.jwk import JWKRegistry, KeySet
from wrongkey_adapter import Refused, serve

ALGORITHMS = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "ES256K", "EdDSA",
]


def settle(terms):
    keys = {
        id(realm): KeySet([key for _, key in realm.usable(JWKRegistry.import_key)]) for realm in terms.realms
    }

    def judge(token, now):
        found = []

        def load_key(unverified):
            realm = terms.realm_of(json.loads(unverified.payload).get("iss"))
            if unverified.headers()["alg"] not in realm.algorithms:
                raise Refused("another algorithm")
            found.append(realm)
            return keys[id(realm)]

        verified = jwt.decode(token, load_key, algorithms=ALGORITHMS)
        realm = found[0]
        jwt.JWTClaimsRegistry(now, terms.leeway, **terms.claims_options(realm)).validate(verified.claims)
        if realm.audiences == [] and "aud" in verified.claims:
            raise Refused("it is for somebody")
        return verified.header, verified.claims, realm

    return judge


serve("joserfc", joserfc.__version__, ALGORITHMS, settle, clock="settable")
