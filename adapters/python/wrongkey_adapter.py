"""What every Python adapter shares: the lines of protocol version 1, and a policy as an application writes it down.

An adapter's own file says how its library is used. It calls `serve` with a function that gets the `Terms` of a policy and
gives back a judge: `judge(token, now)` returns `(header, claims, realm)` as the library gave them out, or raises.
"""

import base64
import json
import os
import sys
from dataclasses import dataclass

#: Answers that are written in one go while more requests are waiting.
ANSWERS_AT_ONCE = 16


class Skip(Exception):
    """The policy asks for something that neither the library nor an application on it has a setting for."""


class Refused(Exception):
    """What the application itself refuses, before or after the library's call."""


@dataclass
class Realm:
    """Issuers and keys that are trusted together, and what they may sign. `None` means that nobody asks."""

    issuers: list
    keys: list
    algorithms: list
    audiences: list | None
    subjects: list | None

    def usable(self, read):
        """Each JWK with what the library makes of it; one that it cannot use is left out."""
        for data in self.keys:
            try:
                key = read(data)
            except Exception:
                continue
            yield data, key


@dataclass
class Terms:
    """A policy as an application writes it down: one realm for each issuer, or one for all where keys are pooled."""

    realms: list
    required: list
    leeway: int
    token_types: list | None
    tenants: dict  # issuer name: (claim, tenant), where the name came from a template

    def realm_of(self, issuer):
        """The realm of the issuer that the library's unverified view of the token shows.

        Where there is one only, the application has nothing to choose, and the library compares the name.
        """
        if len(self.realms) == 1:
            return self.realms[0]
        for realm in self.realms:
            if issuer in realm.issuers:
                return realm
        raise Refused("the issuer is not trusted")

    def own_checks(self, header, claims, realm):
        """What is left to the application once the library is content: `typ`, the subject and the tenant."""
        if self.token_types and not _is_type(header.get("typ"), self.token_types):
            raise Refused("another typ")
        if realm.subjects is not None and claims.get("sub") not in realm.subjects:
            raise Refused("another subject")
        claim, tenant = self.tenants.get(claims.get("iss"), (None, None))
        if claim and claims.get(claim) != tenant:
            raise Refused("another tenant")

    def require(self, claims):
        """For libraries that have no setting for required claims."""
        for name in self.required:
            if claims.get(name) in (None, ""):
                raise Refused(f"no {name}")

    def claims_options(self, realm):
        """What the claims must be, as Authlib and joserfc take it."""
        options = {name: {"essential": True} for name in self.required}
        options["iss"] = {"essential": True, "values": realm.issuers}
        if realm.audiences:
            options["aud"] = {"essential": "aud" in self.required, "values": realm.audiences}
        return options

    def identity(self, claims):
        """Who the application takes it to be: the library's own claims."""
        claim, _ = self.tenants.get(claims.get("iss"), (None, None))
        who = {"iss": claims.get("iss"), "sub": claims.get("sub"), "aud": claims.get("aud")}
        if claim:
            who["tid"] = claims.get(claim)
        return {name: value for name, value in who.items() if value is not None}


def _is_type(typ, permitted):
    """RFC 7515 section 4.1.9: compared without regard to case, and `application/` may be left out."""
    short = lambda name: name.lower().removeprefix("application/")
    return isinstance(typ, str) and short(typ) in map(short, permitted)


def _narrowed(everyone, own):
    if everyone is None or own is None:
        return own if everyone is None else everyone
    return [name for name in own if name in everyone]


def _terms(policy, known_algorithms, pooled):
    """Writes a policy down, or raises `Skip`."""
    source = policy["key_source"]
    if source == "fetched":
        raise Skip("it fetches no keys")
    if source == "converged" and not pooled:
        raise Skip("a key set for each issuer only")
    if policy.get("serializations", ["compact"]) != ["compact"]:
        raise Skip("only the compact serialization")
    if policy.get("replay") == "refuse":
        raise Skip("no replay store")
    if policy.get("crit_understood"):
        raise Skip("it understands no extension of the header")
    # Whoever pools the keys of all issuers asks nothing further of a key.
    if policy.get("enforce_key_lifetime") and not pooled:
        raise Skip("no setting for the lifetime of a key")
    if "cloud_instance" in policy and not pooled:
        raise Skip("no setting for the cloud of a key")

    realms, tenants = [], {}
    literal = {issuer["issuer"] for issuer in policy["issuers"]}
    for issuer in policy["issuers"]:
        if "signer" in issuer:
            raise Skip("no setting for the header member signer")
        name, names = issuer["issuer"], [issuer["issuer"]]
        if "{tenantid}" in name:
            if "tenants" not in issuer:
                raise Skip("no issuer templates without a list of tenants")
            by_name = {name.replace("{tenantid}", tenant): tenant for tenant in issuer["tenants"]}
            names = [one for one in by_name if one not in literal]
            tenants.update({one: (issuer.get("tenant_claim", "tid"), by_name[one]) for one in names})
        algorithms = _narrowed(policy.get("algorithms"), issuer.get("algorithms"))
        realm = Realm(
            issuers=names,
            keys=[key for part in ("jwks", "secrets") for key in issuer.get(part, {"keys": []})["keys"]],
            algorithms=[name for name in known_algorithms if algorithms is None or name in algorithms],
            audiences=_narrowed(policy.get("audiences"), issuer.get("audiences")),
            subjects=issuer.get("subjects"),
        )
        realms.append(realm)
    if pooled:
        realms = [_pool(realms, policy.get("converged_jwks", {"keys": []})["keys"])]
    return Terms(
        realms=realms,
        required=policy.get("required_claims", []),
        leeway=policy.get("leeway", 0),
        token_types=policy.get("token_types"),
        tenants=tenants,
    )


def _pool(realms, converged):
    """One realm of everything that any issuer may do: the mistake that a pooled adapter is there to show."""
    if any(realm.subjects != realms[0].subjects for realm in realms):
        raise Skip("the same subjects for all issuers only")
    union = lambda lists: list(dict.fromkeys(name for one in lists for name in one))
    audiences = [realm.audiences for realm in realms]
    return Realm(
        issuers=union(realm.issuers for realm in realms),
        keys=[key for realm in realms for key in realm.keys] + converged,
        algorithms=union(realm.algorithms for realm in realms),
        audiences=None if None in audiences else union(audiences),
        subjects=realms[0].subjects if realms else None,
    )


def serve(name, version, algorithms, settle, clock="system"):
    """Answers until standard input ends. `--pooled` puts the keys of all issuers into one set."""
    if sys.argv[1:] not in ([], ["--pooled"]):
        sys.exit(f"usage: {sys.argv[0]} [--pooled]")
    pooled = sys.argv[1:] == ["--pooled"]
    state = {}

    def hello(_):
        return {"hello": {
            "protocol": 1,
            "name": name + "-pooled" * pooled,
            "version": version,
            "clock": clock,
            "key_sources": ["per-issuer", "converged"] if pooled else ["per-issuer"],
            "features": ["live-update", "issuer-templates", "identity", "large"],
            "algorithms": algorithms,
        }}

    def configure(request):
        # The application reads its configuration anew; neither it nor the library remembers anything of the former one.
        state.clear()
        try:
            terms = _terms(request["policy"], algorithms, pooled)
            state.update(terms=terms, judge=settle(terms))
            return {"id": request["id"], "ok": True}
        except Skip as reason:
            return {"id": request["id"], "skip": str(reason)}
        except Exception as error:
            return {"id": request["id"], "error": f"{type(error).__name__}: {error}"}

    def validate(request):
        token = request.get("token")
        if token is None:
            token = base64.b64decode(request["token_b64"])
        try:
            terms = state["terms"]
            header, claims, realm = state["judge"](token, request["now"])
            terms.own_checks(header, claims, realm)
            return {"id": request["id"], "accept": terms.identity(claims)}
        except Exception as error:  # whatever escapes a library ends as a refused request in a service
            return {"id": request["id"], "reject": f"{type(error).__name__}: {error}"[:300]}

    answers = {"hello": hello, "configure": configure, "validate": validate}
    written, buffer = [], b""
    while chunk := os.read(0, 1 << 16):
        *lines, buffer = (buffer + chunk).split(b"\n") if b"\n" in chunk else (buffer + chunk,)
        for line in lines:
            try:
                [(kind, request)] = json.loads(line).items()
                answer = answers[kind](request)
            except Exception as error:
                print(f"cannot read {line[:200]!r}: {error!r}", file=sys.stderr)
                continue
            written.append(json.dumps(answer))
            if len(written) == ANSWERS_AT_ONCE:
                _write(written)
        _write(written)


def _write(answers):
    """Writes everything: a pipe may take less than it is given."""
    rest = memoryview("".join(answer + "\n" for answer in answers).encode())
    while rest:
        rest = rest[os.write(1, rest):]
    answers.clear()
