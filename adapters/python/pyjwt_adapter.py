"""PyJWT, as its documentation teaches: `jwt.decode_complete` with a `PyJWK` for a key, and everything else as arguments.

The issuer is read from the claims without verification ("Reading the Claimset without Validation"), to choose whose keys and
rules to verify by; `jwt.decode_complete` then compares it.
"""

import jwt
from wrongkey_adapter import Refused, serve

ALGORITHMS = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "ES256K", "EdDSA",
]


def signing_keys(realm):
    """By `kid`: the key and the algorithms that it is used with. Keys of another `use` are left out, as `PyJWKClient` does."""
    keys = {}
    for data, jwk in realm.usable(jwt.PyJWK):
        if jwk.public_key_use in ("sig", None):
            algorithms = [name for name in realm.algorithms if data.get("alg") in (None, name)]
            keys.setdefault(jwk.key_id, (jwk.key, algorithms))
    return keys


def settle(terms):
    keys = {id(realm): signing_keys(realm) for realm in terms.realms}

    def judge(token, _now):
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
        realm = terms.realm_of(unverified["payload"].get("iss"))
        key, algorithms = keys[id(realm)].get(unverified["header"].get("kid"), (None, None))
        if key is None:
            raise Refused("no key of that kid")
        verified = jwt.decode_complete(
            token,
            key,
            algorithms=algorithms,
            issuer=realm.issuers[0] if len(realm.issuers) == 1 else realm.issuers,
            audience=realm.audiences or None,
            leeway=terms.leeway,
            options={
                "require": terms.required,
                "verify_aud": realm.audiences is not None,
                "enforce_minimum_key_length": True,
            },
        )
        return verified["header"], verified["payload"], realm

    return judge


serve("pyjwt", jwt.__version__, ALGORITHMS, settle)
