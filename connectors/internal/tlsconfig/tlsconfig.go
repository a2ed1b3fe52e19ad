package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"millrace/connectors"
)

// The keys.
const (
	CAFile     = "tls.ca.file"
	CertFile   = "tls.cert.file"
	KeyFile    = "tls.key.file"
	ServerName = "tls.server.name"
	SkipVerify = "tls.insecure.skip.verify"
)

const group = "TLS"

// Keys returns the definitions of the block.
func Keys() []connectors.ConfigKey {
	return []connectors.ConfigKey{
		{Name: CAFile, Type: connectors.ConfigString, Importance: connectors.Medium, Group: group, Order: 1, Width: connectors.WidthLong, DisplayName: "CA file",
			Aliases: []string{"connect.mqtt.ssl.ca.cert"},
			Doc:     "PEM file with the certificates of the authorities to trust. Without it those of the system are trusted."},
		{Name: CertFile, Type: connectors.ConfigString, Importance: connectors.Medium, Group: group, Order: 2, Width: connectors.WidthLong, DisplayName: "Certificate file",
			Aliases: []string{"connect.mqtt.ssl.cert"},
			Doc:     "PEM file with the client's own certificate and its chain."},
		{Name: KeyFile, Type: connectors.ConfigString, Importance: connectors.Medium, Group: group, Order: 3, Width: connectors.WidthLong, DisplayName: "Key file",
			Aliases: []string{"connect.mqtt.ssl.key"},
			Doc:     "PEM file with the private key of the client's certificate, not encrypted."},
		{Name: ServerName, Type: connectors.ConfigString, Importance: connectors.Low, Group: group, Order: 4, Width: connectors.WidthMedium, DisplayName: "Server name",
			Doc: "Name that the server's certificate must have, if it is not the host that is connected to."},
		{Name: SkipVerify, Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low, Group: group, Order: 5, Width: connectors.WidthShort, DisplayName: "Skip verification",
			Doc: "Accept any certificate of the server. Anybody on the way can then read and change what is sent."},
	}
}

// From reads the files that values name. The error names the key and the file.
func From(values connectors.Values) (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         values.String(ServerName),
		InsecureSkipVerify: values.Bool(SkipVerify), //nolint:gosec // the user's own choice, off by default
	}
	if file := values.String(CAFile); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: %v", CAFile, err)}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: %s holds no PEM certificate", CAFile, file)}
		}
	}
	cert, key := values.String(CertFile), values.String(KeyFile)
	if (cert == "") != (key == "") {
		return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s and %s belong together: set both or neither", CertFile, KeyFile)}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s, %s: %v", CertFile, KeyFile, err)}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
