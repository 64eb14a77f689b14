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


def key_set(realm):
    keys = []
    for data in realm.keys:
        try:
            keys.append(JsonWebKey.import_key(data))
        except Exception:
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
    options = {id(realm): claims_options(realm, terms) for realm in terms.realms}
    tokens = {id(realm): JsonWebToken(realm.algorithms) for realm in terms.realms}
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
        claims.options = options[id(realm)]
        claims.validate(now=now, leeway=terms.leeway)
        if realm.audiences == [] and "aud" in claims:
            raise Refused("it is for somebody")
        return claims.header, claims, realm

    return judge


serve("authlib", authlib.__version__, ALGORITHMS, settle, clock="settable")
