package activemq_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/connectors/activemq/activemqtest"
	"millrace/connectors/connectortest"
)

func TestTLS(t *testing.T) {
	b := activemqtest.New(t, activemqtest.WithTLS())
	other := filepath.Join(t.TempDir(), "other.pem")
	if err := os.WriteFile(other, []byte(otherCertificate), 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(uri, ca string) map[string]string {
		c := map[string]string{"activemq.server_uris": "failover:(" + uri + ")?maxReconnectAttempts=0", "activemq.destination": queue(t), "topic": "t"}
		if ca != "" {
			c["tls.ca.file"] = ca
		}
		return c
	}

	t.Run("carries_messages_both_ways", func(t *testing.T) {
		for _, scheme := range []string{"ssl", "stomp+ssl"} {
			c := config(scheme+"://"+b.TLS, b.CertFile())
			connectortest.StartSink(t, sink, c).Put(connectortest.Records("t", 0, "secret")...)
			s := connectortest.StartSource(t, source, c, nil)
			if got := s.Wait(1); got[0].Value != "secret" {
				t.Errorf("%s: %v", scheme, got[0].Value)
			}
			s.CommitAll()
			s.Stop()
		}
	})

	for name, tc := range map[string]struct{ uri, ca, want string }{
		"an_unknown_certificate":   {"ssl://" + b.TLS, "", "certificate signed by unknown authority"},
		"another_authority":        {"ssl://" + b.TLS, other, "certificate signed by unknown authority"},
		"another_name":             {"ssl://" + strings.Replace(b.TLS, "127.0.0.1", "localhost", 1), b.CertFile(), "valid for"},
		"TLS_where_plain_STOMP_is": {"ssl://" + b.Stomp, b.CertFile(), "connect to ssl://" + b.Stomp},
		"plain_STOMP_where_TLS_is": {"tcp://" + b.TLS, "", "speaks TLS (write ssl:// for it)"},
	} {
		t.Run(name, func(t *testing.T) {
			err := connectortest.StartSource(t, source, config(tc.uri, tc.ca), nil).Failure()
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}

	for path, want := range map[string]string{os.Args[0]: "tls.ca.file: " + os.Args[0] + " has no PEM certificate in it", other + ".gone": "tls.ca.file: open "} {
		err := source.NewSource().Start(connectortest.NewConnectorContext(t), config("ssl://"+b.TLS, path))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// otherCertificate signed nothing.
const otherCertificate = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUPHw8tCDqqAjeiRTK0sOUeoWggDowCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTI1MTMyNjQ0WhgPMjEyNjExMDExMzI2
NDRaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
qkokGRidLCTlgyr0/eOezMrSjSP5MgyAL+7a5PqNuS2F9MzPdheFjv1KJT2oJVOI
R5OpQLj7cCqVbJzEq0C6Y6NTMFEwHQYDVR0OBBYEFOCK7vEc4CaJmxGLiwm/Wlr9
QqesMB8GA1UdIwQYMBaAFOCK7vEc4CaJmxGLiwm/Wlr9QqesMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAMdNq8U/LlK++7meTt+xEg/AQtDPsmNH
H8bYi+SvueutAiAxQqmSz2E+zVij4YAJv/S34QuBOLn7sBwlvJ6KHt+I7g==
-----END CERTIFICATE-----
`
