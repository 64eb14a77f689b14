"""An application on PyJWT that keeps its keys as text by `kid`, public keys as OpenSSH writes them, and allows every algorithm.

`jwt.decode` as the documentation of every release since 2.0 teaches it: the key, a list of algorithms, and `issuer`,
`audience`, `leeway` and `options`. The `kid` says whose key it is, and so which issuer the token must name.
"""

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wrongkey_adapter import Refused, serve

ALGORITHMS = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "ES256K", "EdDSA",
]


def text_of(data):
    """What stands in the application's table: a secret as it is, a public key as a line of OpenSSH's."""
    key = jwt.PyJWK(data, data.get("alg", "HS256") if data["kty"] == "oct" else None).key
    return key if isinstance(key, bytes) else key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def settle(terms):
    table = {}
    for realm in terms.realms:
        for data, text in realm.usable(text_of):
            table.setdefault(data.get("kid"), (text, realm))

    def judge(token, _now):
        header = jwt.get_unverified_header(token)
        if header.get("kid") not in table:
            raise Refused("no key of that kid")
        key, realm = table[header["kid"]]
        claims = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=realm.issuers[0],
            audience=realm.audiences or None,
            leeway=terms.leeway,
            options={"require": terms.required, "verify_aud": realm.audiences is not None},
        )
        return header, claims, realm

    return judge


serve("pyjwt-by-kid", jwt.__version__, ALGORITHMS, settle)
