package sslconfig_test

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"

	"millrace/plugins/sslconfig"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestServer uses an encrypted key; the handshakes with every format of store are in the tests of rest and of the runtime's clients.
func TestServer(t *testing.T) {
	props := map[string]string{
		"x.ssl.keystore.type": "PEM", "x.ssl.keystore.key": read(t, "testdata/me.aes-256-cbc.pem"),
		"x.ssl.keystore.certificate.chain": read(t, "testdata/me.crt.pem"), "x.ssl.key.password": "changeit",
		"x.ssl.client.auth": "REQUIRED", "x.ssl.enabled.protocols": "TLSv1.2, TLSv1.3", "x.ssl.protocol": "TLS",
		"ssl.client.auth": "nonsense that nobody reads",
	}
	c, err := sslconfig.Server(props, "x.")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Certificates) != 1 || c.ClientAuth != tls.RequireAndVerifyClientCert || c.ClientCAs == nil || c.MinVersion != tls.VersionTLS12 || c.MaxVersion != tls.VersionTLS13 {
		t.Errorf("got %+v", c)
	}
	props["x.ssl.key.password"] = "guess"
	props["x.ssl.cipher.suites"] = "TLS_NULL"
	_, err = sslconfig.Server(props, "x.")
	for _, want := range []string{
		"Invalid value [hidden] for configuration x.ssl.keystore.key: the keystore cannot be read: ssl.key.password is wrong",
		"Invalid value TLS_NULL for configuration x.ssl.cipher.suites: TLS_NULL is not known or not safe",
	} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "guess") {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
	if got := sslconfig.Files(map[string]string{"x.ssl.keystore.location": "/k", "ssl.truststore.location": "/t"}, "x."); len(got) != 1 || got[0] != "/k" {
		t.Errorf("files %v", got)
	}
}
