// go-oidc, as its documentation teaches: an `oidc.IDTokenVerifier` made of an issuer, a `StaticKeySet` and a `Config`.
//
// The library shows nothing of a token unverified, so the verifiers of the issuers are tried in turn; each compares the issuer
// itself. Pooled, there is one verifier with `SkipIssuerCheck`, and the issuer is compared with a list afterwards.
package main

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"wrongkey.example/adapters/protocol"
)

var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

type verifier struct {
	*oidc.IDTokenVerifier
	realm *protocol.Realm
}

func settle(terms *protocol.Terms) (protocol.Judge, error) {
	if terms.Leeway != 0 {
		return nil, protocol.Skip("no setting for leeway")
	}
	if len(terms.TokenTypes) > 0 {
		return nil, protocol.Skip("it does not show the header")
	}
	var clock time.Time
	var verifiers []verifier
	for _, one := range terms.Realms {
		if len(one.Algorithms) == 0 {
			continue // with none the library would take RS256
		}
		config := oidc.Config{SupportedSigningAlgs: one.Algorithms, Now: func() time.Time { return clock }, SkipIssuerCheck: terms.Pooled}
		switch {
		case one.Audiences == nil || len(*one.Audiences) == 0:
			config.SkipClientIDCheck = true
		case len(*one.Audiences) == 1:
			config.ClientID = (*one.Audiences)[0]
		default:
			return nil, protocol.Skip("one audience only")
		}
		keys := &oidc.StaticKeySet{}
		for _, text := range one.Keys {
			var key jose.JSONWebKey // the library reads JWK Sets from URLs only
			if json.Unmarshal(text, &key) == nil && key.IsPublic() && (key.Use == "" || key.Use == "sig") {
				keys.PublicKeys = append(keys.PublicKeys, key.Key.(crypto.PublicKey))
			}
		}
		for _, name := range one.Issuers {
			verifiers = append(verifiers, verifier{oidc.NewVerifier(name, keys, &config), one})
		}
	}
	if terms.Pooled && len(verifiers) > 0 {
		verifiers = verifiers[:1]
	}
	return func(token string, now int64) (*protocol.Verified, error) {
		clock = time.Unix(now, 0)
		err := errors.New("nobody is trusted")
		for _, one := range verifiers {
			var verified *oidc.IDToken
			if verified, err = one.Verify(context.Background(), token); err == nil {
				return application(terms, one.realm, verified)
			}
		}
		return nil, err
	}, nil
}

func application(terms *protocol.Terms, realm *protocol.Realm, verified *oidc.IDToken) (*protocol.Verified, error) {
	if !slices.Contains(realm.Issuers, verified.Issuer) {
		return nil, errors.New("the issuer is not trusted")
	}
	if realm.Audiences != nil && len(*realm.Audiences) == 0 && len(verified.Audience) > 0 {
		return nil, errors.New("it is for somebody")
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return nil, err
	}
	claims["iss"], claims["sub"] = verified.Issuer, verified.Subject
	return &protocol.Verified{Claims: claims, Realm: realm}, terms.Require(claims)
}

func main() {
	protocol.Adapter{
		Name: "go-oidc", Module: "github.com/coreos/go-oidc/v3", Clock: "settable", Algorithms: algorithms, Settle: settle,
	}.Serve()
}
