"""jwcrypto, as its documentation teaches: a `jwt.JWT` with a `JWKSet`, the algorithms and `check_claims`.

Its documentation shows no way to read a token unverified, so each issuer's set and claims are tried in turn; the first that
lets the token in has verified it under its own keys and its own name.
"""

import json
from importlib.metadata import version

from jwcrypto import jwk, jwt
from wrongkey_adapter import Refused, serve

ALGORITHMS = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "ES256K", "EdDSA",
]


def key_set(realm):
    keys = jwk.JWKSet()
    for _, key in realm.usable(lambda data: jwk.JWK(**data)):
        keys.add(key)
    return keys


def settle(terms):
    keys = {id(realm): key_set(realm) for realm in terms.realms}

    def verify(token, realm, check_claims):
        verified = jwt.JWT(
            algs=realm.algorithms, check_claims=check_claims, expected_type="JWS", strict_serialization=True
        )
        verified.leeway = terms.leeway
        verified.deserialize(token, keys[id(realm)])
        return json.loads(verified.header), json.loads(verified.claims)

    def judge_in(token, realm):
        # Without `check_claims` the library looks at `exp` and `nbf` where they are there; with it, only at what it lists.
        header, claims = verify(token, realm, None)
        checks = dict.fromkeys(terms.required)
        if realm.audiences:
            checks["aud"] = realm.audiences
        if len(realm.issuers) == 1:
            checks["iss"] = realm.issuers[0]
        elif claims.get("iss") not in realm.issuers:
            raise Refused("the issuer is not trusted")
        verify(token, realm, checks)
        if realm.audiences == [] and "aud" in claims:
            raise Refused("it is for somebody")
        return header, claims, realm

    def judge(token, _now):
        refusal = Refused("nobody is trusted")
        for realm in terms.realms:
            try:
                return judge_in(token, realm)
            except Exception as error:
                refusal = error
        raise refusal

    return judge


serve("jwcrypto", version("jwcrypto"), ALGORITHMS, settle)
