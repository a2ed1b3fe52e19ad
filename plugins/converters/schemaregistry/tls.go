package schemaregistry

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"millrace/connectors"
)

// tlsConfig reads the ssl.* keys. Errors name the key.
func tlsConfig(values connectors.Values) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	trusted, err := pemOf(values, trustCertificatesKey, trustLocationKey)
	if err != nil {
		return nil, err
	}
	if trusted != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(trusted) {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s or %s holds no PEM certificate", trustLocationKey, trustCertificatesKey)}
		}
	}
	chain, err := pemOf(values, keyChainKey, keyLocationKey)
	if err != nil {
		return nil, err
	}
	key := chain // a key store in PEM holds both
	if inline := string(values.Password(privateKeyKey)); inline != "" {
		key = []byte(inline)
	}
	if chain != nil {
		pair, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s, %s, %s: %v", keyLocationKey, keyChainKey, privateKeyKey, err)}
		}
		c.Certificates = []tls.Certificate{pair}
	} else if key != nil {
		return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s needs %s", privateKeyKey, keyChainKey)}
	}
	switch algorithm := values.String(identificationKey); {
	case strings.EqualFold(algorithm, "https"):
	case algorithm == "":
		acceptAnyHost(c)
	default:
		return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: must be https or empty, got %q", identificationKey, algorithm)}
	}
	return c, nil
}

// pemOf returns the PEM text in the inline key or in the file that the location key names; nil if neither is set.
func pemOf(values connectors.Values, inlineKey, locationKey string) ([]byte, error) {
	inline, location := string(values.Password(inlineKey)), values.String(locationKey)
	switch {
	case inline != "" && location != "":
		return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s and %s exclude each other", inlineKey, locationKey)}
	case inline != "":
		return []byte(inline), nil
	case location == "":
		return nil, nil
	}
	data, err := os.ReadFile(location)
	if err != nil {
		return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: %v", locationKey, err)}
	}
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: %s is not in PEM; convert it with: openssl pkcs12 -in store.p12 -nodes -out store.pem", locationKey, location)}
	}
	return data, nil
}

// acceptAnyHost still wants a chain to a trusted authority, but for any host name.
func acceptAnyHost(c *tls.Config) {
	c.InsecureSkipVerify = true //nolint:gosec // VerifyConnection checks all but the name
	c.VerifyConnection = func(state tls.ConnectionState) error {
		options := x509.VerifyOptions{Roots: c.RootCAs, Intermediates: x509.NewCertPool()}
		for _, certificate := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(certificate)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}
