// golang-jwt, as its documentation teaches: a `jwt.Parser` with everything as options, and a `Keyfunc` that finds the key by
// `kid`. `ParseUnverified` shows the issuer, to choose the parser and the keys.
package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"wrongkey.example/adapters/protocol"
)

var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

func issuer(token string) (any, error) {
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(token, claims)
	return claims["iss"], err
}

func open(terms *protocol.Terms, realm *protocol.Realm) (protocol.Door, error) {
	var clock time.Time
	options := []jwt.ParserOption{
		jwt.WithValidMethods(realm.Algorithms), jwt.WithLeeway(terms.Leeway), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return clock }), jwt.WithIssuer(realm.OnlyIssuer()),
	}
	if realm.Audiences != nil {
		options = append(options, jwt.WithAudience(*realm.Audiences...))
	}
	if slices.Contains(terms.Required, "exp") {
		options = append(options, jwt.WithExpirationRequired())
	}
	parser, keys := jwt.NewParser(options...), realm.JWKs() // the library reads no JWK
	find := func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		for _, key := range keys {
			_, secret := key.Key.([]byte)
			fits := secret == strings.HasPrefix(token.Method.Alg(), "HS") && (key.Use == "" || key.Use == "sig")
			if key.KeyID == kid && fits && (key.Algorithm == "" || key.Algorithm == token.Method.Alg()) {
				return key.Key, nil
			}
		}
		return nil, errors.New("no key of that kid, kind and algorithm")
	}
	return func(token string, now time.Time) (header, claims map[string]any, err error) {
		clock = now
		verified, err := parser.Parse(token, find)
		if err != nil {
			return nil, nil, err
		}
		return verified.Header, verified.Claims.(jwt.MapClaims), nil
	}, nil
}

func main() {
	protocol.Adapter{
		Name: "golang-jwt", Module: "github.com/golang-jwt/jwt/v5", Algorithms: algorithms, Issuer: issuer, Open: open,
	}.Serve()
}
