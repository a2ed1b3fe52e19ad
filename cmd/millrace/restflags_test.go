package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/runtime/kafkatest"
)

func TestConnectorsOverTLS(t *testing.T) {
	server, me := kafkatest.NewIdentity(t, "127.0.0.1"), kafkatest.NewIdentity(t, "me")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		status, answer := http.StatusOK, "[]"
		if user, password, _ := r.BasicAuth(); user != "alice" || password != "se:cret" {
			status, answer = http.StatusUnauthorized, "User cannot access the resource."
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer)) // the client notices
	}))
	clients := x509.NewCertPool()
	clients.AddCert(me.Leaf)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{server.Pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	defer s.Close()
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, cert, key, both := file("ca", server.CertPEM), file("cert", me.CertPEM), file("key", me.KeyPEM), file("both", me.CertPEM+me.KeyPEM)
	for _, test := range []struct {
		name, flags string
		env         map[string]string
		code        int
		says        string
	}{
		{"flags", "--user alice:se:cret --cacert " + ca + " --cert " + cert + " --key " + key, nil, exitOK, ""},
		{"environment", "", map[string]string{"MILLRACE_USER": "alice:se:cret", "MILLRACE_CACERT": ca, "MILLRACE_CERT": both}, exitOK, ""},
		{"wrong password", "--user alice:guess --cacert " + ca + " --cert " + both, nil, exitFailed, "the worker answered 401 Unauthorized: User cannot access the resource."},
		{"no authority", "--user alice:se:cret --cert " + both, nil, exitEnvironment, "--cacert FILE"},
		{"no certificate", "--user alice:se:cret --cacert " + ca, nil, exitEnvironment, "certificate required"},
		{"no password", "--user alice", nil, exitUsage, "--user wants name:password"},
		{"no file", "--cacert /none", nil, exitUsage, "--cacert: open /none"},
		{"no PEM", "--cacert " + file("x", "x"), nil, exitUsage, "holds no PEM certificate"},
		{"key alone", "--key " + key, nil, exitUsage, "--key needs --cert"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			code, _, errs := execute(t, "", append([]string{"connectors", "status", "--url", s.URL}, strings.Fields(test.flags)...)...)
			if code != test.code || !strings.Contains(errs, test.says) || strings.Contains(errs, "guess") {
				t.Errorf("exit code %d, want %d; said %q, want %q", code, test.code, errs, test.says)
			}
		})
	}
	t.Setenv("MILLRACE_USER", "alice:se:cret")
	if _, out, _ := execute(t, "", "connectors", "--help"); strings.Contains(out, "se:cret") {
		t.Errorf("the help shows the password:\n%s", out)
	}
}
