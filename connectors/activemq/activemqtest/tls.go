package activemqtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

const storePassword = "changeit"

// WithTLS adds a STOMP connector with TLS, at the Broker's TLS address, under a certificate of its own for 127.0.0.1: CertFile.
func WithTLS() Option { return func(b *Broker) { b.tls = true } }

// CertFile is the PEM certificate of a Broker that was started WithTLS.
func (b *Broker) CertFile() string { return filepath.Join(b.dir, "broker.pem") }

// tlsXML makes the broker's key, unless it is there, and returns the elements of the configuration that use it.
func (b *Broker) tlsXML(ctx context.Context) (sslContext, connector string, err error) {
	if !b.tls {
		return "", "", nil
	}
	store := filepath.Join(b.dir, "broker.p12")
	if _, err := os.Stat(store); errors.Is(err, fs.ErrNotExist) {
		common := []string{"-alias", "broker", "-keystore", store, "-storetype", "PKCS12", "-storepass", storePassword}
		for _, args := range [][]string{
			{"-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", "san=ip:127.0.0.1", "-validity", "2"},
			{"-exportcert", "-rfc", "-file", b.CertFile()},
		} {
			if out, err := exec.CommandContext(ctx, "keytool", append(args, common...)...).CombinedOutput(); err != nil {
				return "", "", fmt.Errorf("keytool %s: %w\n%s", args[0], err, out)
			}
		}
	}
	sslContext = fmt.Sprintf(`<sslContext><sslContext keyStore="file:%s" keyStorePassword="%s" keyStoreType="PKCS12"/></sslContext>`, store, storePassword)
	return sslContext, fmt.Sprintf(`<transportConnector name="stomp+ssl" uri="stomp+ssl://%s"/>`, b.TLS), nil
}
