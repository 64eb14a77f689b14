"""An application on python-jose that keeps its keys as text by `kid`, public keys as OpenSSH writes them, and allows every
algorithm that the library has.

`jwt.decode` as the documentation teaches it: the key, a list of algorithms, `issuer`, `audience` and `options`. The library
reads no OpenSSH text for elliptic curves and RSA, so the application hands it PEM where the header asks for such a key.
"""

import jose
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from jose import jwk, jwt
from jose.utils import base64url_decode
from wrongkey_adapter import Refused, serve

ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]


def pem_of(line):
    return load_ssh_public_key(line).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def text_of(data):
    """What stands in the application's table: a secret as it is, a public key as a line of OpenSSH's."""
    if data["kty"] == "oct":
        return base64url_decode(data["k"].encode())
    return jwk.construct(data, "RS256" if data["kty"] == "RSA" else "ES256").prepared_key.public_bytes(
        Encoding.OpenSSH, PublicFormat.OpenSSH
    )


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
            key if header["alg"].startswith("HS") else pem_of(key),
            algorithms=ALGORITHMS,
            issuer=realm.issuers[0],
            audience=realm.audiences[0] if realm.audiences else None,
            options={"leeway": terms.leeway, "verify_aud": realm.audiences is not None},
        )
        terms.require(claims)
        return header, claims, realm

    return judge


serve("python-jose-by-kid", jose.__version__, ALGORITHMS, settle)
