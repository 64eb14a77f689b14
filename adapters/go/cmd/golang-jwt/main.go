// golang-jwt, as its documentation teaches: a `jwt.Parser` with everything as options, and a `Keyfunc` that finds the key by
// `kid`. `ParseUnverified` shows the issuer, to choose the parser and the keys.
package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"wrongkey.example/adapters/protocol"
)

var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

type realm struct {
	parser *jwt.Parser
	keys   map[string]jose.JSONWebKey // the library reads no JWK
}

func (r *realm) key(token *jwt.Token) (any, error) {
	kid, _ := token.Header["kid"].(string)
	key, ok := r.keys[kid]
	if !ok || key.Algorithm != "" && key.Algorithm != token.Method.Alg() {
		return nil, errors.New("no key of that kid and algorithm")
	}
	if _, secret := key.Key.([]byte); secret != strings.HasPrefix(token.Method.Alg(), "HS") {
		return nil, errors.New("a key of another kind")
	}
	return key.Key, nil
}

func settle(terms *protocol.Terms) (protocol.Judge, error) {
	var clock time.Time
	realms := map[*protocol.Realm]*realm{}
	for _, one := range terms.Realms {
		options := []jwt.ParserOption{
			jwt.WithValidMethods(one.Algorithms),
			jwt.WithLeeway(terms.Leeway),
			jwt.WithTimeFunc(func() time.Time { return clock }),
			jwt.WithStrictDecoding(),
		}
		if len(one.Issuers) == 1 {
			options = append(options, jwt.WithIssuer(one.Issuers[0]))
		}
		if one.Audiences != nil {
			options = append(options, jwt.WithAudience(*one.Audiences...))
		}
		if slices.Contains(terms.Required, "exp") {
			options = append(options, jwt.WithExpirationRequired())
		}
		keys := map[string]jose.JSONWebKey{}
		for _, text := range one.Keys {
			var key jose.JSONWebKey
			if json.Unmarshal(text, &key) == nil && (key.Use == "" || key.Use == "sig") {
				if _, taken := keys[key.KeyID]; !taken {
					keys[key.KeyID] = key
				}
			}
		}
		realms[one] = &realm{parser: jwt.NewParser(options...), keys: keys}
	}
	unverified := jwt.NewParser()
	return func(token string, now int64) (*protocol.Verified, error) {
		clock = time.Unix(now, 0)
		claims := jwt.MapClaims{}
		if _, _, err := unverified.ParseUnverified(token, claims); err != nil {
			return nil, err
		}
		one, err := terms.RealmOf(claims["iss"])
		if err != nil {
			return nil, err
		}
		verified, err := realms[one].parser.Parse(token, realms[one].key)
		if err != nil {
			return nil, err
		}
		claims = verified.Claims.(jwt.MapClaims)
		if _, named := claims["aud"]; named && one.Audiences != nil && len(*one.Audiences) == 0 {
			return nil, errors.New("it is for somebody")
		}
		return &protocol.Verified{Header: verified.Header, Claims: claims, Realm: one}, terms.Require(claims)
	}, nil
}

func main() {
	protocol.Adapter{
		Name: "golang-jwt", Module: "github.com/golang-jwt/jwt/v5", Clock: "settable", Algorithms: algorithms, Settle: settle,
	}.Serve()
}
