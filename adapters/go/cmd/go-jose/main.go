// go-jose, as its documentation teaches: `jwt.ParseSigned` with the algorithms, `Claims` with a `JSONWebKeySet`, and
// `ValidateWithLeeway`. `UnsafeClaimsWithoutVerification` shows the issuer, to choose the set.
package main

import (
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"wrongkey.example/adapters/protocol"
)

var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

var every = named(algorithms)

func named(names []string) []jose.SignatureAlgorithm {
	list := []jose.SignatureAlgorithm{}
	for _, name := range names {
		list = append(list, jose.SignatureAlgorithm(name))
	}
	return list
}

func issuer(token string) (any, error) {
	var unverified jwt.Claims
	signed, err := jwt.ParseSigned(token, every)
	if err == nil {
		err = signed.UnsafeClaimsWithoutVerification(&unverified)
	}
	return unverified.Issuer, err
}

func open(terms *protocol.Terms, realm *protocol.Realm) (protocol.Door, error) {
	keys, allowed := jose.JSONWebKeySet{Keys: realm.JWKs()}, named(realm.Algorithms)
	expected := jwt.Expected{Issuer: realm.OnlyIssuer()}
	if realm.Audiences != nil {
		expected.AnyAudience = *realm.Audiences
	}
	return func(token string, now time.Time) (header, all map[string]any, err error) {
		signed, err := jwt.ParseSigned(token, allowed)
		if err != nil {
			return nil, nil, err
		}
		var claims jwt.Claims
		if err := signed.Claims(keys, &claims, &all); err != nil {
			return nil, nil, err
		}
		header = map[string]any{"typ": signed.Headers[0].ExtraHeaders[jose.HeaderType]}
		return header, all, claims.ValidateWithLeeway(expected.WithTime(now), terms.Leeway)
	}, nil
}

func main() {
	protocol.Adapter{
		Name: "go-jose", Module: "github.com/go-jose/go-jose/v4", Algorithms: algorithms, Issuer: issuer, Open: open,
	}.Serve()
}
