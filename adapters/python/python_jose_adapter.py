"""python-jose: `jwt.decode` with the JWK whose `kid` the unverified header names, as the guides of many providers teach it,
and everything else as arguments and options. `jwt.get_unverified_claims` shows whose keys to look among.
"""

import jose
from jose import jwt
from wrongkey_adapter import Refused, Skip, serve

ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
#: Required claims that the library has options for.
OPTIONS = ("aud", "iat", "exp", "nbf", "iss", "sub", "jti")


def settle(terms):
    if any(realm.audiences and len(realm.audiences) > 1 for realm in terms.realms):
        raise Skip("one audience only")
    options = {f"require_{name}": name in terms.required for name in OPTIONS}
    options["leeway"] = terms.leeway

    def judge(token, _now):
        realm = terms.realm_of(jwt.get_unverified_claims(token).get("iss"))
        kid = jwt.get_unverified_header(token).get("kid")
        key = next((key for key in realm.keys if key.get("kid") == kid), None)
        if key is None:
            raise Refused("no key of that kid")
        claims = jwt.decode(
            token,
            key,
            algorithms=realm.algorithms,
            issuer=realm.issuers,
            audience=realm.audiences[0] if realm.audiences else None,
            options={**options, "verify_aud": realm.audiences is not None},
        )
        terms.require(claims)
        return jwt.get_unverified_header(token), claims, realm

    return judge


serve("python-jose", jose.__version__, ALGORITHMS, settle)
