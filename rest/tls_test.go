package rest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/rest"
	"millrace/runtime/kafkatest"
)

// serve runs a server with the properties until the test ends; it returns its addresses.
func serve(t *testing.T, props map[string]string) (addresses []string) {
	t.Helper()
	c, err := rest.ParseConfig(props)
	if err != nil {
		t.Fatal(err)
	}
	s, err := rest.New(c, &fakeHerder{health: healthy}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s.Addrs()
}

// get asks for /health, or whatever path.
func get(t *testing.T, url string, config *tls.Config) (*http.Response, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	return resp, err
}

func trusting(id *kafkatest.Identity, own ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(id.Leaf)
	c := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if len(own) > 0 { // shown whatever authorities the server asks for
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own[0], nil }
	}
	return c
}

func TestTLS(t *testing.T) {
	server, me, other := kafkatest.NewIdentity(t, "127.0.0.1"), kafkatest.NewIdentity(t, "me"), kafkatest.NewIdentity(t, "other")
	jks := map[string]string{"ssl.keystore.location": server.KeyJKS, "ssl.keystore.password": kafkatest.Password, "ssl.key.password": kafkatest.Password}
	p12 := map[string]string{"ssl.keystore.location": server.KeyPKCS12, "ssl.keystore.password": kafkatest.Password, "ssl.keystore.type": "PKCS12"}
	pem := map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.key": server.KeyPEM, "ssl.keystore.certificate.chain": server.CertPEM}
	trust := map[string]string{"ssl.truststore.location": me.TrustJKS, "ssl.truststore.password": kafkatest.Password}
	tests := []struct {
		name   string
		props  []map[string]string
		client *tls.Config
		fails  bool
	}{
		{"JKS", []map[string]string{jks}, trusting(server), false},
		{"PKCS12", []map[string]string{p12}, trusting(server), false},
		{"PEM", []map[string]string{pem}, trusting(server), false},
		{"a client that does not trust it", []map[string]string{jks}, trusting(other), true},
		{"required, with a certificate", []map[string]string{p12, trust, {"ssl.client.auth": "required"}}, trusting(server, me.Pair), false},
		{"required, without", []map[string]string{p12, trust, {"ssl.client.auth": "required"}}, trusting(server), true},
		{"required, a wrong one", []map[string]string{p12, trust, {"ssl.client.auth": "required"}}, trusting(server, other.Pair), true},
		{"required, trusting the keystore's", []map[string]string{jks, {"ssl.client.auth": "required"}}, trusting(server, server.Pair), false},
		{"required, trusting the keystore's, a wrong one", []map[string]string{pem, {"ssl.client.auth": "required"}}, trusting(server, me.Pair), true},
		{"requested, without", []map[string]string{p12, trust, {"ssl.client.auth": "requested"}}, trusting(server), false},
		{"requested, a wrong one", []map[string]string{p12, trust, {"ssl.client.auth": "requested"}}, trusting(server, other.Pair), true},
		{"none, a wrong one", []map[string]string{p12, {"ssl.client.auth": "none"}}, trusting(server, other.Pair), false},
		{"TLS 1.3 alone", []map[string]string{pem, {"ssl.enabled.protocols": "TLSv1.3"}}, &tls.Config{RootCAs: trusting(server).RootCAs, MaxVersion: tls.VersionTLS12}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			props := map[string]string{"listeners": "https://127.0.0.1:0"}
			for _, p := range tt.props {
				maps.Copy(props, p)
			}
			// A client notices that its certificate was refused at its first read at the latest.
			resp, err := get(t, "https://"+serve(t, props)[0]+"/health", tt.client)
			if (err != nil) != tt.fails {
				t.Fatalf("got %v", err)
			}
			if err == nil && (resp.StatusCode != 200 || resp.Proto != "HTTP/1.1") {
				t.Errorf("got %d %s", resp.StatusCode, resp.Proto)
			}
		})
	}
}

func TestTLS_prefixes_and_mixed_listeners(t *testing.T) {
	mainID, adminID := kafkatest.NewIdentity(t, "127.0.0.1"), kafkatest.NewIdentity(t, "127.0.0.1")
	props := map[string]string{
		"listeners":                                            "http://127.0.0.1:0,HTTPS://127.0.0.1:0",
		"admin.listeners":                                      "https://127.0.0.1:0",
		"ssl.keystore.location":                                "/not/for/us",
		"listeners.https.ssl.keystore.location":                mainID.KeyPKCS12,
		"listeners.https.ssl.keystore.password":                kafkatest.Password,
		"admin.listeners.https.ssl.keystore.type":              "PEM",
		"admin.listeners.https.ssl.keystore.key":               adminID.KeyPEM,
		"admin.listeners.https.ssl.keystore.certificate.chain": adminID.CertPEM,
	}
	addresses := serve(t, props)
	for i, test := range []struct {
		url    string
		client *tls.Config
		status int
	}{
		{"http://" + addresses[0] + "/health", nil, 200},
		{"https://" + addresses[1] + "/health", trusting(mainID), 200},
		{"https://" + addresses[1] + "/admin/loggers", trusting(mainID), 404},
		{"https://" + addresses[2] + "/health", trusting(adminID), 404},
		{"https://" + addresses[2] + "/health", trusting(mainID), 0},
		{"http://" + addresses[1] + "/health", nil, 400}, // plain HTTP at an https listener
	} {
		resp, err := get(t, test.url, test.client)
		if test.status == 0 {
			if err == nil {
				t.Errorf("%d: the admin listener has the certificate of the others", i)
			}
			continue
		}
		if err != nil || resp.StatusCode != test.status {
			t.Errorf("%d: %v, %v; want %d", i, resp, err, test.status)
		}
	}
}

// TestTLS_renewed changes the files of a running server.
func TestTLS_renewed(t *testing.T) {
	first, second := kafkatest.NewIdentity(t, "127.0.0.1"), kafkatest.NewIdentity(t, "127.0.0.1")
	path := write(t, filepath.Join(t.TempDir(), "server.pem"), first.KeyPEM+first.CertPEM)
	address := serve(t, map[string]string{"listeners": "https://127.0.0.1:0", "ssl.keystore.type": "PEM", "ssl.keystore.location": path})[0]
	url := "https://" + address + "/health"
	if _, err := get(t, url, trusting(first)); err != nil {
		t.Fatal(err)
	}
	write(t, path, "half a file, whose writer is slow")
	for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); { // the server goes on with what it has
		if _, err := get(t, url, trusting(first)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, path, second.KeyPEM+second.CertPEM)
	eventually(t, func() error { _, err := get(t, url, trusting(second)); return err })
}

// eventually polls: files are looked at once a second.
func eventually(t *testing.T, good func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		err := good()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestTLS_refuses(t *testing.T) {
	id := kafkatest.NewIdentity(t, "me")
	for _, test := range []struct{ props, want string }{
		{"", "Invalid value  for configuration ssl.keystore.location: must be set for an https listener"},
		{"ssl.keystore.location=/none", "Invalid value /none for configuration ssl.keystore.location: stat /none"},
		{"listeners.https.ssl.keystore.location=/none", "Invalid value /none for configuration listeners.https.ssl.keystore.location"},
		{"ssl.keystore.location=" + id.KeyJKS + " ssl.keystore.password=wrong", "for configuration ssl.keystore.location: the keystore cannot be read"},
		{"ssl.keystore.location=" + id.TrustJKS + " ssl.keystore.password=changeit", "the keystore cannot be read: it has no private key"},
		{"ssl.keystore.location=" + id.KeyPKCS12 + " ssl.keystore.password=changeit ssl.client.auth=maybe", "for configuration ssl.client.auth: must be required, requested or none"},
		{"ssl.keystore.location=" + id.KeyPKCS12 + " ssl.keystore.password=changeit ssl.client.auth=required ssl.truststore.location=/none", "Invalid value /none for configuration ssl.truststore.location"},
		{"ssl.keystore.location=" + id.KeyPKCS12 + " ssl.keystore.password=changeit ssl.enabled.protocols=TLSv1", "for configuration ssl.enabled.protocols: must be of TLSv1.2, TLSv1.3"},
	} {
		props := map[string]string{"listeners": "https://127.0.0.1:0"}
		for pair := range strings.FieldsSeq(test.props) {
			k, v, _ := strings.Cut(pair, "=")
			props[k] = v
		}
		if _, err := rest.ParseConfig(props); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "wrong\n") {
			t.Errorf("%s: error %v lacks %q", test.props, err, test.want)
		}
	}
}

// TestSlowClients are cut off: one that does not finish its TLS handshake does not keep others out.
func TestSlowClients(t *testing.T) {
	id := kafkatest.NewIdentity(t, "127.0.0.1")
	address := serve(t, map[string]string{"listeners": "https://127.0.0.1:0", "ssl.keystore.location": id.KeyPKCS12, "ssl.keystore.password": kafkatest.Password})[0]
	for range 20 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }() // said nothing, hears nothing
	}
	if _, err := get(t, "https://"+address+"/health", trusting(id)); err != nil {
		t.Error(err)
	}
}

func TestHeaderLimit(t *testing.T) {
	address := serve(t, map[string]string{"listeners": "http://127.0.0.1:0"})[0]
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // only read from now on
	if _, err := fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 80<<10)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 431") {
		t.Errorf("got %q, %v", line, err)
	}
}
