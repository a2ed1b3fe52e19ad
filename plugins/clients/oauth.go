package clients

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const tokenURL = "sasl.oauthbearer.token.endpoint.url"

// tokens get OAUTHBEARER tokens: from an endpoint with client credentials, or unsecured ones of their own making, which
// brokers accept only while testing. A token serves all connections of a client until most of its life is over.
type tokens struct {
	endpoint           string
	id, secret, scope  string
	client             *http.Client
	claims, extensions map[string]string
	life               time.Duration // of unsecured tokens

	mu    sync.Mutex
	token string
	until time.Time
}

func newTokens(s *settings, options, worker map[string]string) *tokens {
	t := &tokens{extensions: make(map[string]string), claims: make(map[string]string), life: time.Hour}
	for k, v := range options {
		if name, ok := strings.CutPrefix(k, "extension_"); ok {
			t.extensions[name] = v
		} else if name, ok := strings.CutPrefix(k, "unsecuredLoginExtension_"); ok {
			t.extensions[name] = v
		} else if name, ok := strings.CutPrefix(k, "unsecuredLoginStringClaim_"); ok {
			t.claims[name] = v
		}
	}
	if n, err := strconv.Atoi(options["unsecuredLoginLifetimeSeconds"]); err == nil && n > 0 {
		t.life = time.Duration(n) * time.Second
	}
	first := func(option, key string) string {
		if v, ok := s.text(key); ok {
			return v
		}
		return options[option]
	}
	t.id = first("clientId", "sasl.oauthbearer.client.credentials.client.id")
	t.secret = first("clientSecret", "sasl.oauthbearer.client.credentials.client.secret")
	t.scope = first("scope", "sasl.oauthbearer.scope")
	handler, _ := s.text("sasl.login.callback.handler.class")
	switch strings.TrimPrefix(handler, securityPackage+"oauthbearer.") {
	case "", "OAuthBearerLoginCallbackHandler", "secured.OAuthBearerLoginCallbackHandler":
	default:
		s.wrong("sasl.login.callback.handler.class", "only "+securityPackage+"oauthbearer.OAuthBearerLoginCallbackHandler is available here")
	}
	t.endpoint, _ = s.text(tokenURL)
	if t.endpoint == "" {
		if t.claims["sub"] == "" {
			s.wrong("sasl.jaas.config", "must have unsecuredLoginStringClaim_sub, or "+tokenURL+" must be set")
		}
		return t
	}
	if u, err := url.Parse(t.endpoint); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		s.wrong(tokenURL, "must be an http or https address")
	} else if !trusted(t.endpoint, worker) {
		s.wrong(tokenURL, "the worker's own configuration must name the same address: otherwise a connector could have the worker call any")
	}
	if t.id == "" {
		s.wrong("sasl.jaas.config", "must have clientId and clientSecret")
	}
	t.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: tokenTLS(s), DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	return t
}

func tokenTLS(s *settings) *tls.Config {
	config := s.tls()
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: config.RootCAs}
}

// trusted reports whether the worker's own properties name the endpoint, under whatever prefix.
func trusted(endpoint string, worker map[string]string) bool {
	return slices.ContainsFunc([]string{"", "producer.", "consumer.", "admin."}, func(prefix string) bool {
		return strings.TrimSpace(worker[prefix+tokenURL]) == endpoint
	})
}

func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && time.Now().Before(t.until) {
		return t.token, nil
	}
	token, life, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.token, t.until = token, time.Now().Add(life*4/5)
	return token, nil
}

// fetch gets a new token. What an endpoint answers is never shown.
func (t *tokens) fetch(ctx context.Context) (token string, life time.Duration, err error) {
	if t.endpoint == "" {
		return t.unsecured(time.Now()), t.life, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if t.scope != "" {
		form.Set("scope", t.scope)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", tokenURL, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(t.id, t.secret)
	resp, err := t.client.Do(req)
	if err != nil {
		return "", 0, fmt.Errorf("get a token: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	var answer struct {
		Token string      `json:"access_token"`
		Life  json.Number `json:"expires_in"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); resp.StatusCode != http.StatusOK || err != nil || answer.Token == "" {
		return "", 0, fmt.Errorf("get a token: %s answered with status %d and no access_token", t.endpoint, resp.StatusCode)
	}
	seconds, err := answer.Life.Int64()
	if err != nil || seconds <= 0 {
		seconds = 60
	}
	return answer.Token, time.Duration(min(seconds, 86400)) * time.Second, nil
}

func (t *tokens) unsecured(now time.Time) string {
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(t.life).Unix()}
	for _, name := range slices.Sorted(maps.Keys(t.claims)) {
		claims[name] = t.claims[name]
	}
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err) // numbers and strings
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(body) + "."
}
