// go-oidc, as its documentation teaches: an `oidc.IDTokenVerifier` made of an issuer, a `StaticKeySet` and a `Config`. The
// library shows nothing of a token unverified, so the verifiers of the issuers are tried in turn; each compares the issuer
// itself. Where one stands for several it is told to skip that, and the issuer is compared with a list afterwards.
package main

import (
	"context"
	"crypto"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"wrongkey.example/adapters/protocol"
)

var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

func open(terms *protocol.Terms, realm *protocol.Realm) (protocol.Door, error) {
	var clock time.Time
	config := oidc.Config{
		SupportedSigningAlgs: realm.Algorithms, SkipIssuerCheck: realm.OnlyIssuer() == "", Now: func() time.Time { return clock },
	}
	switch {
	case terms.Leeway != 0:
		return nil, protocol.Skip("no setting for leeway")
	case len(terms.TokenTypes) > 0:
		return nil, protocol.Skip("it does not show the header")
	case realm.Audiences == nil || len(*realm.Audiences) == 0:
		config.SkipClientIDCheck = true
	case len(*realm.Audiences) == 1:
		config.ClientID = (*realm.Audiences)[0]
	default:
		return nil, protocol.Skip("one audience only")
	}
	if len(realm.Algorithms) == 0 {
		config.SupportedSigningAlgs = []string{"none of them"} // with none the library would take RS256
	}
	keys := &oidc.StaticKeySet{}
	for _, key := range realm.JWKs() { // the library reads JWK Sets from URLs only
		if key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			keys.PublicKeys = append(keys.PublicKeys, key.Key.(crypto.PublicKey))
		}
	}
	verifier := oidc.NewVerifier(realm.OnlyIssuer(), keys, &config)
	return func(token string, now time.Time) (header, claims map[string]any, err error) {
		clock = now
		verified, err := verifier.Verify(context.Background(), token)
		if err == nil {
			err = verified.Claims(&claims)
		}
		if err == nil {
			claims["iss"], claims["sub"] = verified.Issuer, verified.Subject
		}
		return nil, claims, err
	}, nil
}

func main() {
	protocol.Adapter{Name: "go-oidc", Module: "github.com/coreos/go-oidc/v3", Algorithms: algorithms, Open: open}.Serve()
}
