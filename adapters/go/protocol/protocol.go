// Package protocol is what every Go adapter shares: the lines of protocol version 1, and a policy as an application writes it
// down. An adapter's own program says how its library is used.
package protocol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Skip says that the policy asks for something that neither the library nor an application on it has a setting for.
type Skip string

func (s Skip) Error() string { return string(s) }

// Realm is issuers and keys that are trusted together, and what they may sign.
type Realm struct {
	Issuers    []string
	Keys       []json.RawMessage
	Algorithms []string
	Audiences  *[]string // nil: nobody asks
	Subjects   *[]string // nil: nobody asks
}

// Terms is a policy as an application writes it down: one realm for each issuer, or one for all where keys are pooled.
type Terms struct {
	Pooled     bool
	Realms     []*Realm
	Required   []string
	Leeway     time.Duration
	TokenTypes []string
	tenants    map[string][2]string // issuer name: claim and tenant, where the name came from a template
}

// Door is the library at work for one realm: the header and the claims of a good token. The header is nil where the library
// gives out none.
type Door func(token string, now time.Time) (header, claims map[string]any, err error)

// Adapter is what a program says of itself and of its library.
type Adapter struct {
	Name, Module string
	Algorithms   []string
	// Issuer is whom a token claims as issuer before anything is checked, to choose the realm. Where the library shows nothing
	// unverified it is nil, and the doors are tried in turn.
	Issuer func(token string) (any, error)
	// Open puts a realm into the library's settings.
	Open func(*Terms, *Realm) (Door, error)
}

type service struct {
	terms *Terms
	doors []Door
}

type issuer struct {
	Issuer      string    `json:"issuer"`
	TenantClaim string    `json:"tenant_claim"`
	Tenants     *[]string `json:"tenants"`
	Algorithms  *[]string `json:"algorithms"`
	Audiences   *[]string `json:"audiences"`
	Subjects    *[]string `json:"subjects"`
	Signer      *string   `json:"signer"`
	JWKS        keySet    `json:"jwks"`
	Secrets     keySet    `json:"secrets"`
}

type keySet struct {
	Keys []json.RawMessage `json:"keys"`
}

type policy struct {
	KeySource          string    `json:"key_source"`
	Audiences          *[]string `json:"audiences"`
	Algorithms         *[]string `json:"algorithms"`
	TokenTypes         []string  `json:"token_types"`
	RequiredClaims     []string  `json:"required_claims"`
	Leeway             uint64    `json:"leeway"`
	Serializations     *[]string `json:"serializations"`
	CritUnderstood     []string  `json:"crit_understood"`
	CloudInstance      *string   `json:"cloud_instance"`
	EnforceKeyLifetime bool      `json:"enforce_key_lifetime"`
	Replay             string    `json:"replay"`
	Issuers            []issuer  `json:"issuers"`
	Converged          keySet    `json:"converged_jwks"`
}

type request struct {
	Configure *struct {
		ID     int64  `json:"id"`
		Policy policy `json:"policy"`
	} `json:"configure"`
	Validate *struct {
		ID       int64   `json:"id"`
		Token    *string `json:"token"`
		TokenB64 []byte  `json:"token_b64"`
		Now      int64   `json:"now"`
	} `json:"validate"`
	Hello *struct{} `json:"hello"`
}

type object = map[string]any

// OnlyIssuer is the issuer, where there is one: more the libraries cannot be told, and the application compares them.
func (r *Realm) OnlyIssuer() string {
	if len(r.Issuers) == 1 {
		return r.Issuers[0]
	}
	return ""
}

// JWKs are the keys that go-jose can read, for the libraries that read none themselves too.
func (r *Realm) JWKs() []jose.JSONWebKey {
	var keys []jose.JSONWebKey
	for _, text := range r.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// ownChecks is what these libraries leave to the application: one of several issuers, an audience where the party has none,
// required claims, `typ`, the subject and the tenant.
func (t *Terms) ownChecks(realm *Realm, header, claims object) error {
	if iss, ok := claims["iss"].(string); len(realm.Issuers) != 1 && (!ok || !slices.Contains(realm.Issuers, iss)) {
		return errors.New("the issuer is not trusted")
	}
	if _, named := claims["aud"]; named && realm.Audiences != nil && len(*realm.Audiences) == 0 {
		return errors.New("it is for somebody")
	}
	for _, name := range t.Required {
		if claims[name] == nil || claims[name] == "" {
			return fmt.Errorf("no %s", name)
		}
	}
	if len(t.TokenTypes) > 0 {
		typ, _ := header["typ"].(string)
		if !slices.ContainsFunc(t.TokenTypes, func(one string) bool { return short(one) == short(typ) }) {
			return errors.New("another typ")
		}
	}
	if realm.Subjects != nil {
		if sub, ok := claims["sub"].(string); !ok || !slices.Contains(*realm.Subjects, sub) {
			return errors.New("another subject")
		}
	}
	if tenant, ok := t.tenant(claims); ok && claims[tenant[0]] != any(tenant[1]) {
		return errors.New("another tenant")
	}
	return nil
}

func (t *Terms) tenant(claims object) ([2]string, bool) {
	issuer, _ := claims["iss"].(string)
	tenant, ok := t.tenants[issuer]
	return tenant, ok
}

// identity is who the application takes it to be: the library's own claims.
func (t *Terms) identity(claims object) object {
	who := object{"iss": claims["iss"], "sub": claims["sub"]}
	if aud, ok := claims["aud"]; ok {
		who["aud"] = aud
	}
	if tenant, ok := t.tenant(claims); ok {
		who["tid"] = claims[tenant[0]]
	}
	return who
}

// short is a media type as RFC 7515 section 4.1.9 compares it.
func short(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

func narrowed(everyone, own *[]string) *[]string {
	if everyone == nil || own == nil {
		if everyone == nil {
			return own
		}
		return everyone
	}
	both := []string{}
	for _, name := range *own {
		if slices.Contains(*everyone, name) {
			both = append(both, name)
		}
	}
	return &both
}

func termsOf(p *policy, known []string, pooled bool) (*Terms, error) {
	switch {
	case p.KeySource == "fetched":
		return nil, Skip("it fetches no keys")
	case p.KeySource == "converged" && !pooled:
		return nil, Skip("a key set for each issuer only")
	case p.Serializations != nil && !slices.Equal(*p.Serializations, []string{"compact"}):
		return nil, Skip("only the compact serialization")
	case p.Replay == "refuse":
		return nil, Skip("no replay store")
	case p.Leeway > uint64(math.MaxInt64/time.Second):
		return nil, Skip("no leeway of centuries")
	case len(p.CritUnderstood) > 0:
		return nil, Skip("it understands no extension of the header")
	// Whoever pools the keys of all issuers asks nothing further of a key.
	case p.EnforceKeyLifetime && !pooled:
		return nil, Skip("no setting for the lifetime of a key")
	case p.CloudInstance != nil && !pooled:
		return nil, Skip("no setting for the cloud of a key")
	}
	terms := &Terms{
		Pooled: pooled, Required: p.RequiredClaims, Leeway: time.Duration(p.Leeway) * time.Second, TokenTypes: p.TokenTypes,
		tenants: map[string][2]string{},
	}
	for _, one := range p.Issuers {
		if one.Signer != nil {
			return nil, Skip("no setting for the header member signer")
		}
		names, err := terms.names(p, &one)
		if err != nil {
			return nil, err
		}
		allowed := narrowed(p.Algorithms, one.Algorithms)
		realm := &Realm{
			Issuers: names, Keys: append(one.JWKS.Keys, one.Secrets.Keys...), Algorithms: []string{},
			Audiences: narrowed(p.Audiences, one.Audiences), Subjects: one.Subjects,
		}
		for _, name := range known {
			if allowed == nil || slices.Contains(*allowed, name) {
				realm.Algorithms = append(realm.Algorithms, name)
			}
		}
		terms.Realms = append(terms.Realms, realm)
	}
	if pooled {
		return terms, terms.pool(p.Converged.Keys)
	}
	return terms, nil
}

// names makes one name for each tenant of a template, since libraries compare whole names; a literal name wins over it.
func (t *Terms) names(p *policy, one *issuer) ([]string, error) {
	if !strings.Contains(one.Issuer, "{tenantid}") {
		return []string{one.Issuer}, nil
	}
	if one.Tenants == nil {
		return nil, Skip("no issuer templates without a list of tenants")
	}
	claim := one.TenantClaim
	if claim == "" {
		claim = "tid"
	}
	var names []string
	for _, tenant := range *one.Tenants {
		name := strings.ReplaceAll(one.Issuer, "{tenantid}", tenant)
		if !slices.ContainsFunc(p.Issuers, func(other issuer) bool { return other.Issuer == name }) {
			names = append(names, name)
			t.tenants[name] = [2]string{claim, tenant}
		}
	}
	return names, nil
}

// pool makes one realm of everything that any issuer may do: the mistake that a pooled adapter is there to show.
func (t *Terms) pool(converged []json.RawMessage) error {
	all := &Realm{Keys: converged, Audiences: &[]string{}, Algorithms: []string{}}
	for _, realm := range t.Realms {
		if fmt.Sprint(list(realm.Subjects)) != fmt.Sprint(list(t.Realms[0].Subjects)) {
			return Skip("the same subjects for all issuers only")
		}
		all.Subjects = realm.Subjects
		all.Issuers = union(all.Issuers, realm.Issuers)
		all.Algorithms = union(all.Algorithms, realm.Algorithms)
		all.Keys = append(all.Keys, realm.Keys...)
		if realm.Audiences == nil {
			all.Audiences = nil
		} else if all.Audiences != nil {
			both := union(*all.Audiences, *realm.Audiences)
			all.Audiences = &both
		}
	}
	t.Realms = []*Realm{all}
	return nil
}

func list(names *[]string) any {
	if names == nil {
		return nil
	}
	return *names
}

func union(all, more []string) []string {
	for _, name := range more {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// judged is the library's answer, or its error. A panic ends a request of an HTTP server of Go, and not the server.
func (a Adapter) judged(s service, token string, now time.Time) (who object, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	var claimed any
	if a.Issuer != nil {
		if claimed, err = a.Issuer(token); err != nil {
			return nil, err
		}
	}
	err = errors.New("the issuer is not trusted")
	for number, door := range s.doors {
		realm := s.terms.Realms[number]
		if name, _ := claimed.(string); a.Issuer != nil && !slices.Contains(realm.Issuers, name) {
			continue
		}
		var header, claims object
		if header, claims, err = door(token, now); err == nil {
			err = s.terms.ownChecks(realm, header, claims)
		}
		if err == nil {
			return s.terms.identity(claims), nil
		}
	}
	return nil, err
}

// settle is the policy at work.
func (a Adapter) settle(p *policy, pooled bool) (service, error) {
	terms, err := termsOf(p, a.Algorithms, pooled)
	if err != nil {
		return service{}, err
	}
	s := service{terms: terms}
	for _, realm := range terms.Realms {
		door, err := a.Open(terms, realm)
		if err != nil {
			return service{}, err
		}
		s.doors = append(s.doors, door)
	}
	return s, nil
}

// Serve answers until standard input ends. `--pooled` puts the keys of all issuers into one set.
func (a Adapter) Serve() {
	pooled := len(os.Args) == 2 && os.Args[1] == "--pooled"
	if len(os.Args) > 1 && !pooled {
		fmt.Fprintf(os.Stderr, "usage: %s [--pooled]\n", os.Args[0])
		os.Exit(2)
	}
	s := service{terms: &Terms{}}
	answer := func(r *request) object {
		switch {
		case r.Hello != nil:
			return a.hello(pooled)
		case r.Configure != nil:
			// The application reads its configuration anew; neither it nor the library remembers anything of the former one.
			settled, err := a.settle(&r.Configure.Policy, pooled)
			s = service{terms: &Terms{}}
			var skip Skip
			if errors.As(err, &skip) {
				return object{"id": r.Configure.ID, "skip": skip.Error()}
			} else if err != nil {
				return object{"id": r.Configure.ID, "error": err.Error()}
			}
			s = settled
			return object{"id": r.Configure.ID, "ok": true}
		case r.Validate != nil:
			token := string(r.Validate.TokenB64)
			if r.Validate.Token != nil {
				token = *r.Validate.Token
			}
			who, err := a.judged(s, token, time.Unix(r.Validate.Now, 0))
			if err == nil {
				return object{"id": r.Validate.ID, "accept": who}
			}
			return object{"id": r.Validate.ID, "reject": err.Error()}
		}
		return nil
	}

	in, out := bufio.NewReaderSize(os.Stdin, 1<<16), bufio.NewWriterSize(os.Stdout, 1<<16)
	encoder := json.NewEncoder(out)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			fmt.Fprintf(os.Stderr, "cannot read %.200q: %v\n", bytes.TrimSpace(line), err)
		} else if said := answer(&r); said != nil && encoder.Encode(said) != nil {
			return
		}
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

func (a Adapter) hello(pooled bool) object {
	name, sources := a.Name, []string{"per-issuer"}
	if pooled {
		name, sources = a.Name+"-pooled", []string{"per-issuer", "converged"}
	}
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == a.Module {
				version = strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return object{"hello": object{
		"protocol": 1, "name": name, "version": version, "clock": "settable", "key_sources": sources,
		"features":   []string{"live-update", "issuer-templates", "identity", "large"},
		"algorithms": a.Algorithms,
	}}
}
