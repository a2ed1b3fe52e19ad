package clients_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"millrace/plugins/clients"
	"millrace/runtime/kafkatest"
)

// greeter accepts TLS connections that show a certificate of client and tells how each handshake went.
func greeter(t *testing.T, server, client *kafkatest.Identity) (address string, handshakes <-chan error) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(client.Leaf)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{server.Pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			results <- conn.(*tls.Conn).HandshakeContext(t.Context())
			if err := conn.Close(); err != nil {
				t.Log(err)
			}
		}
	}()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String(), results
}

// filer writes files.
func filer(t *testing.T) func(name, text string) string {
	return func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func TestTLS_stores(t *testing.T) {
	server, own := kafkatest.NewIdentity(t, "127.0.0.1"), kafkatest.NewIdentity(t, "me")
	elsewhere := kafkatest.NewIdentity(t, "elsewhere.example")
	file := filer(t)
	with := func(pairs ...string) map[string]string {
		props := map[string]string{"security.protocol": "SSL",
			"ssl.truststore.location": server.TrustJKS, "ssl.truststore.password": kafkatest.Password,
			"ssl.keystore.location": own.KeyPKCS12, "ssl.keystore.password": kafkatest.Password}
		for i := 0; i < len(pairs); i += 2 {
			props[pairs[i]] = pairs[i+1]
		}
		return props
	}
	tests := []struct {
		name   string
		server *kafkatest.Identity
		props  map[string]string
		fails  bool
	}{
		{"JKS and PKCS12", server, with(), false},
		{"PKCS12 and JKS", server, with("ssl.truststore.location", server.TrustPKCS12, "ssl.keystore.location", own.KeyJKS, "ssl.key.password", kafkatest.Password), false},
		{"PEM files", server, with("ssl.truststore.type", "PEM", "ssl.truststore.location", file("ca.pem", server.CertPEM),
			"ssl.keystore.type", "PEM", "ssl.keystore.location", file("me.pem", own.KeyPEM+own.CertPEM)), false},
		{"PEM in place", server, with("ssl.truststore.type", "PEM", "ssl.truststore.certificates", server.CertPEM,
			"ssl.keystore.type", "PEM", "ssl.keystore.key", own.KeyPEM, "ssl.keystore.certificate.chain", own.CertPEM), false},
		{"TLS 1.2 and a suite", server, with("ssl.enabled.protocols", "TLSv1.2", "ssl.cipher.suites", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"), false},
		{"an unknown authority", server, with("ssl.truststore.location", own.TrustJKS), true},
		{"the system's authorities", server, with("ssl.truststore.location", ""), true},
		{"another name", elsewhere, with("ssl.truststore.location", elsewhere.TrustJKS), true},
		{"another name, unchecked", elsewhere, with("ssl.truststore.location", elsewhere.TrustJKS, "ssl.endpoint.identification.algorithm", ""), false},
		{"unchecked, but an unknown authority", elsewhere, with("ssl.endpoint.identification.algorithm", ""), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, handshakes := greeter(t, tt.server, own)
			cfg := clients.Config{Bootstrap: []string{address}, Log: slog.New(slog.DiscardHandler)}
			cl, err := cfg.Admin("a", tt.props)
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			go func() { _ = cl.Ping(t.Context()) }() // only its handshake counts
			select {
			case err := <-handshakes:
				if (err != nil) != tt.fails {
					t.Errorf("handshake: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("nobody came")
			}
		})
	}
}

func TestSecurity_refuses(t *testing.T) {
	id := kafkatest.NewIdentity(t, "me")
	file := filer(t)
	const plain = "org.apache.kafka.common.security.plain.PlainLoginModule required "
	const oauth = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
	tests := []struct{ settings, want string }{
		{"ssl.truststore.location=" + id.TrustJKS + "\nssl.truststore.password=wrong", "ssl.truststore.location: the truststore cannot be read"},
		{"ssl.truststore.location=" + id.TrustPKCS12 + "\nssl.truststore.password=wrong", "ssl.truststore.location: the truststore cannot be read"},
		{"ssl.truststore.location=/", "ssl.truststore.location: / is no file"},
		{"ssl.truststore.location=" + file("text", "nothing"), "ssl.truststore.type: the file is neither JKS nor PKCS12"},
		{"ssl.truststore.type=BCFKS\nssl.truststore.location=" + id.TrustJKS, "ssl.truststore.type: must be JKS, PKCS12 or PEM"},
		{"ssl.truststore.type=PEM\nssl.truststore.certificates=none", "ssl.truststore.certificates: the truststore cannot be read: it has no certificate"},
		{"ssl.keystore.location=" + id.TrustJKS + "\nssl.keystore.password=changeit", "ssl.keystore.location: the keystore cannot be read: it has no private key"},
		{"ssl.keystore.type=PEM\nssl.keystore.key=-----BEGIN ENCRYPTED PRIVATE KEY-----", "Invalid value [hidden] for configuration ssl.keystore.key: the keystore cannot be read"},
		{"ssl.keystore.type=PEM\nssl.key.password=changeit\nssl.keystore.location=../sslconfig/testdata/me.des3.pem", "cipher 1.2.840.113549.3.7 is not supported"},
		{"ssl.keystore.type=PEM\nssl.key.password=guessed\nssl.keystore.location=../sslconfig/testdata/me.aes-256-cbc.pem", "ssl.key.password is wrong"},
		{"ssl.enabled.protocols=SSLv3", "must be of TLSv1.2, TLSv1.3"},
		{"ssl.cipher.suites=TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_RC4_128_SHA is not known or not safe"},
		{"sasl.mechanism=PLAIN", "sasl.jaas.config: must be set for sasl.mechanism PLAIN"},
		{"sasl.mechanism=PLAIN\nsasl.jaas.config=com.sun.security.auth.module.JndiLoginModule required user.provider.url=\"ldap://x\";",
			"Invalid value [hidden] for configuration sasl.jaas.config: must name the login module"},
		{"sasl.mechanism=PLAIN\nsasl.jaas.config=" + plain + "username=a password=b", "ended by a semicolon"},
		{"sasl.mechanism=PLAIN\nsasl.jaas.config=" + plain + "username=\"a", "a quote is not closed"},
		{"sasl.mechanism=PLAIN\nsasl.jaas.config=" + plain + "username=a; " + plain + ";", "must have one entry"},
		{"sasl.mechanism=PLAIN\nsasl.jaas.config=" + plain + "password=b;", "must have a username"},
		{"sasl.mechanism=OAUTHBEARER\nsasl.jaas.config=" + oauth + ";", "must have unsecuredLoginStringClaim_sub"},
		{"sasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url=file:///etc/passwd\nsasl.jaas.config=" + oauth + "clientId=a;", "must be an http or https address"},
		{"sasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url=http://169.254.169.254/\nsasl.jaas.config=" + oauth + "clientId=a;", "the worker's own configuration must name the same address"},
		{"sasl.mechanism=OAUTHBEARER\nsasl.login.callback.handler.class=com.example.Mine\nsasl.jaas.config=" + oauth + "unsecuredLoginStringClaim_sub=a;", "sasl.login.callback.handler.class"},
	}
	for _, tt := range tests {
		props := map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.jaas.config": plain + "username=a password=hush;"}
		for line := range strings.SplitSeq(tt.settings, "\n") {
			k, v, _ := strings.Cut(line, "=")
			props[k] = v
		}
		if tt.want == "sasl.jaas.config: must be set for sasl.mechanism PLAIN" {
			delete(props, "sasl.jaas.config")
		}
		_, _, err := client("admin", props)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: error %v lacks %q", tt.settings, err, tt.want)
		}
	}
}

func TestSecurity_encrypted_keys(t *testing.T) {
	chain, err := os.ReadFile("../sslconfig/testdata/me.crt.pem")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"aes-128-cbc", "aes-192-cbc", "aes-256-cbc"} {
		key, err := os.ReadFile("../sslconfig/testdata/me." + name + ".pem")
		if err != nil {
			t.Fatal(err)
		}
		cl, _, err := client("admin", map[string]string{"security.protocol": "SSL", "ssl.keystore.type": "PEM", "ssl.keystore.key": string(key),
			"ssl.keystore.certificate.chain": string(chain), "ssl.key.password": "changeit"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cl.Close()
	}
}

// TestSecurity_of_the_worker is inherited by clients of connectors that go to the worker's cluster.
func TestSecurity_of_the_worker(t *testing.T) {
	worker := map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": "NONSENSE"}
	cfg := clients.Config{Bootstrap: []string{"127.0.0.1:1"}, Worker: worker, Log: slog.New(slog.DiscardHandler)}
	if _, err := cfg.Producer("p", nil); err == nil || !strings.Contains(err.Error(), "Invalid value NONSENSE for configuration sasl.mechanism") {
		t.Errorf("inherited: %v", err)
	}
	for _, props := range []map[string]string{{"security.protocol": "PLAINTEXT"}, {"bootstrap.servers": "127.0.0.1:2"}} {
		p, err := cfg.Producer("p", props)
		if err != nil {
			t.Errorf("%v: %v", props, err)
			continue
		}
		p.Close()
	}
}

func TestOAuth_token_endpoint(t *testing.T) {
	var asked atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		id, secret, _ := r.BasicAuth()
		if id != "me" || secret != "hush" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "logs" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"the token","expires_in":3600}`) // the client notices
	}))
	defer endpoint.Close()
	const key = "sasl.oauthbearer.token.endpoint.url"
	props := map[string]string{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", key: endpoint.URL,
		"sasl.jaas.config": `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="me" clientSecret="hush" scope="logs" extension_zone="z";`}
	first := func(props map[string]string) (string, error) {
		cfg := clients.Config{Bootstrap: []string{"127.0.0.1:1"}, Worker: map[string]string{"producer." + key: endpoint.URL}, Log: slog.New(slog.DiscardHandler)}
		cl, err := cfg.Producer("p", props)
		if err != nil {
			return "", err
		}
		defer cl.Close()
		return firstMessage(t, cl)
	}
	got, err := first(props)
	if err != nil || !strings.Contains(got, "auth=Bearer the token\x01zone=z") || asked.Load() != 1 {
		t.Errorf("got %q, %v, after %d requests", got, err, asked.Load())
	}
	props["sasl.jaas.config"] = strings.Replace(props["sasl.jaas.config"], "hush", "wrong", 1)
	if _, err := first(props); err == nil || !strings.Contains(err.Error(), "status 401") {
		t.Errorf("wrong secret: %v", err)
	}
	delete(props, key)
	props["sasl.jaas.config"] = `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="alice";`
	got, err = first(props)
	_, token, _ := strings.Cut(got, "Bearer ")
	parts := strings.Split(token, ".")
	if err != nil || len(parts) != 3 {
		t.Fatalf("got %q, %v", got, err)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Sub      string
		Iat, Exp int64
	}
	if err == nil {
		err = json.Unmarshal(body, &claims)
	}
	if err != nil || claims.Sub != "alice" || claims.Exp-claims.Iat != 3600 {
		t.Errorf("claims %s, %v", body, err)
	}
}

// firstMessage asks the mechanism of a client for its first message.
func firstMessage(t *testing.T, cl *kgo.Client) (string, error) {
	t.Helper()
	mechanisms, _ := cl.OptValue(kgo.SASL).([]sasl.Mechanism)
	for _, m := range mechanisms {
		_, message, err := m.Authenticate(t.Context(), net.JoinHostPort("127.0.0.1", "1"))
		return string(message), err
	}
	t.Fatal("there is no mechanism")
	return "", nil
}

func TestSecurity_against_Kafka(t *testing.T) {
	k := kafkatest.Start(t)
	pem := filer(t)("ca.pem", k.Identity.CertPEM)
	const pkg = "org.apache.kafka.common.security."
	scram := pkg + `scram.ScramLoginModule required username="` + kafkatest.ScramUser + `" password="` + kafkatest.ScramPassword + `";`
	tests := []struct {
		name, mechanism, jaas, trust string
		want                         string
	}{
		{"plain", "PLAIN", pkg + `plain.PlainLoginModule required username="` + kafkatest.PlainUser + `" password="` + kafkatest.PlainPassword + `";`, k.Identity.TrustJKS, ""},
		{"scram 256", "SCRAM-SHA-256", scram, k.Identity.TrustPKCS12, ""},
		{"scram 512", "SCRAM-SHA-512", scram, pem, ""},
		{"oauth", "OAUTHBEARER", pkg + `oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="carol";`, k.Identity.TrustJKS, ""},
		{"a wrong password", "SCRAM-SHA-256", strings.Replace(scram, kafkatest.ScramPassword, "guess", 1), pem, "SASL_AUTHENTICATION_FAILED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			typ := "JKS"
			if tt.trust == pem {
				typ = "PEM"
			}
			cfg := clients.Config{Bootstrap: []string{k.SecureAddr}, Log: slog.New(slog.DiscardHandler), Worker: map[string]string{
				"security.protocol": "SASL_SSL", "sasl.mechanism": tt.mechanism, "sasl.jaas.config": tt.jaas,
				"ssl.truststore.location": tt.trust, "ssl.truststore.type": typ, "ssl.truststore.password": kafkatest.Password}}
			admin, err := cfg.Admin("a", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close()
			if tt.want != "" {
				if err := admin.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v lacks %s", err, tt.want)
				}
				return
			}
			p, err := cfg.Producer("p", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			r := &kgo.Record{Topic: "t", Partition: -1, Value: []byte(tt.name)}
			if err := p.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			opts, err := cfg.Consumer("c", nil)
			if err != nil {
				t.Fatal(err)
			}
			c, err := kgo.NewClient(append(opts, kgo.ConsumerGroup("g-"+tt.mechanism), kgo.ConsumeTopics("t"))...)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for found := false; !found; {
				fetches := c.PollFetches(t.Context())
				if err := fetches.Err(); err != nil {
					t.Fatal(err)
				}
				fetches.EachRecord(func(r *kgo.Record) { found = found || string(r.Value) == tt.name })
			}
		})
	}
}
