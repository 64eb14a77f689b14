// go-jose, as its documentation teaches: `jwt.ParseSigned` with the algorithms, `Claims` with a `JSONWebKeySet`, and
// `ValidateWithLeeway`. `UnsafeClaimsWithoutVerification` shows the issuer, to choose the set.
package main

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"wrongkey.example/adapters/protocol"
)

var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

type realm struct {
	keys       jose.JSONWebKeySet
	algorithms []jose.SignatureAlgorithm
	expected   jwt.Expected
}

func signatureAlgorithms(names []string) []jose.SignatureAlgorithm {
	list := []jose.SignatureAlgorithm{}
	for _, name := range names {
		list = append(list, jose.SignatureAlgorithm(name))
	}
	return list
}

func settle(terms *protocol.Terms) (protocol.Judge, error) {
	realms := map[*protocol.Realm]*realm{}
	for _, one := range terms.Realms {
		r := &realm{algorithms: signatureAlgorithms(one.Algorithms)}
		if len(one.Issuers) == 1 {
			r.expected.Issuer = one.Issuers[0]
		}
		if one.Audiences != nil {
			r.expected.AnyAudience = *one.Audiences
		}
		for _, text := range one.Keys {
			var key jose.JSONWebKey
			if json.Unmarshal(text, &key) == nil {
				r.keys.Keys = append(r.keys.Keys, key)
			}
		}
		realms[one] = r
	}
	every := signatureAlgorithms(algorithms)
	return func(token string, now int64) (*protocol.Verified, error) {
		unverified, err := jwt.ParseSigned(token, every)
		if err != nil {
			return nil, err
		}
		var named jwt.Claims
		if err := unverified.UnsafeClaimsWithoutVerification(&named); err != nil {
			return nil, err
		}
		one, err := terms.RealmOf(named.Issuer)
		if err != nil {
			return nil, err
		}
		r := realms[one]
		signed, err := jwt.ParseSigned(token, r.algorithms)
		if err != nil {
			return nil, err
		}
		var claims jwt.Claims
		var all map[string]any
		if err := signed.Claims(r.keys, &claims, &all); err != nil {
			return nil, err
		}
		err = claims.ValidateWithLeeway(r.expected.WithTime(time.Unix(now, 0)), terms.Leeway)
		if err != nil {
			return nil, err
		}
		if _, named := all["aud"]; named && one.Audiences != nil && len(*one.Audiences) == 0 {
			return nil, errors.New("it is for somebody")
		}
		typ := signed.Headers[0].ExtraHeaders[jose.HeaderType]
		return &protocol.Verified{Header: map[string]any{"typ": typ}, Claims: all, Realm: one}, terms.Require(all)
	}, nil
}

func main() {
	protocol.Adapter{
		Name: "go-jose", Module: "github.com/go-jose/go-jose/v4", Clock: "settable", Algorithms: algorithms, Settle: settle,
	}.Serve()
}
