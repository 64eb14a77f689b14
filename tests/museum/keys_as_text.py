"""An application on PyJWT that keeps its keys as text by `kid`, a public key as the line that OpenSSH writes, and names the
algorithms of all its issuers in one list. The keys of each issuer are its own.
"""

import base64
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "adapters" / "python"))

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wrongkey_adapter import Refused, serve

ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]


def text(jwk):
    if jwk["kty"] == "oct":
        return base64.urlsafe_b64decode(jwk["k"] + "==")
    return jwt.PyJWK(jwk).key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def texts(realm):
    keys = {}
    for jwk in realm.keys:
        try:
            keys.setdefault(jwk.get("kid"), text(jwk))
        except Exception:
            continue  # a key that the library cannot read
    return keys


def settle(terms):
    keys = {id(realm): texts(realm) for realm in terms.realms}
    algorithms = sorted({name for realm in terms.realms for name in realm.algorithms})

    def judge(token, _now):
        realm = terms.realm_of(jwt.decode(token, options={"verify_signature": False}).get("iss"))
        key = keys[id(realm)].get(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise Refused("no key of that kid")
        claims = jwt.decode(
            token,
            key,
            algorithms=algorithms,
            issuer=realm.issuers[0],
            audience=realm.audiences or None,
            leeway=terms.leeway,
            options={"require": terms.required, "verify_aud": realm.audiences is not None},
        )
        return jwt.get_unverified_header(token), claims, realm

    return judge


serve("pyjwt-texts", jwt.__version__, ALGORITHMS, settle)
