"""joserfc, as its documentation teaches: `jwt.decode` with a `KeySet`, and a `JWTClaimsRegistry` that says what the claims
must be. `jwt.decode` finds the key through a function, which gets the token as the library has taken it apart.
"""

import json

import joserfc
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet
from wrongkey_adapter import Refused, serve

ALGORITHMS = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "ES256K", "EdDSA",
]


def key_set(realm):
    keys = []
    for data in realm.keys:
        try:
            keys.append(JWKRegistry.import_key(data))
        except (JoseError, ValueError):
            continue  # a key that the library cannot use
    return KeySet(keys)


def claims_options(realm, terms):
    options = {name: {"essential": True} for name in terms.required}
    options["iss"] = {"essential": True, "values": realm.issuers}
    if realm.audiences:
        options["aud"] = {"essential": "aud" in terms.required, "values": realm.audiences}
    return options


def settle(terms):
    keys = {id(realm): key_set(realm) for realm in terms.realms}
    time = {"now": 0}
    claims = {
        id(realm): jwt.JWTClaimsRegistry(lambda: time["now"], terms.leeway, **claims_options(realm, terms))
        for realm in terms.realms
    }

    def judge(token, now):
        time["now"] = now
        found = []

        def load_key(unverified):
            realm = terms.realm_of(json.loads(unverified.payload).get("iss"))
            if unverified.headers()["alg"] not in realm.algorithms:
                raise Refused("another algorithm")
            found.append(realm)
            return keys[id(realm)]

        verified = jwt.decode(token, load_key, algorithms=ALGORITHMS)
        realm = found[0]
        claims[id(realm)].validate(verified.claims)
        if realm.audiences == [] and "aud" in verified.claims:
            raise Refused("it is for somebody")
        return verified.header, verified.claims, realm

    return judge


serve("joserfc", joserfc.__version__, ALGORITHMS, settle, clock="settable")
