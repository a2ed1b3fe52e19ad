package sslconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
)

// Client returns the configuration of a client. props has all settings, those that do not begin with ssl. are not looked at.
// Without a truststore the system's authorities are trusted. The error joins all mistakes, each naming key, value and rule.
func Client(props map[string]string) (*tls.Config, error) {
	r := &reader{props: props}
	c := r.common()
	c.RootCAs = r.truststore()
	if own, ok := r.keystore(); ok {
		c.Certificates = []tls.Certificate{own}
	}
	if algorithm, set := r.text(identification); set && algorithm == "" {
		verifyChainOnly(c)
	} else if set && !strings.EqualFold(algorithm, "https") {
		r.wrong(identification, "must be https, or empty for no check of the host's name")
	}
	return c, errors.Join(r.errs...)
}

// Server returns the configuration of a listener, which needs a keystore. Whether clients must show a certificate is
// ssl.client.auth; without a truststore, the certificates in the keystore are those trusted, as in Java's servers. prefix stands
// before the names of the settings in props.
func Server(props map[string]string, prefix string) (*tls.Config, error) {
	r := &reader{props: props, prefix: prefix}
	c := r.common()
	if own, ok := r.keystore(); ok {
		c.Certificates = []tls.Certificate{own}
	} else if len(r.errs) == 0 {
		r.wrong("ssl.keystore.location", "must be set for an https listener: a JKS, PKCS12 or PEM file with the server's key and certificate")
	}
	switch auth, _ := r.text("ssl.client.auth"); strings.ToLower(auth) {
	case "", "none":
	case "requested":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case "required":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	default:
		r.wrong("ssl.client.auth", "must be required, requested or none")
	}
	if c.ClientAuth != tls.NoClientCert {
		if c.ClientCAs = r.truststore(); c.ClientCAs == nil && len(r.errs) == 0 {
			c.ClientCAs = r.rootsOfKeystore()
		}
	}
	return c, errors.Join(r.errs...)
}

const identification = "ssl.endpoint.identification.algorithm"

// Keys are the settings that are read, or are as they should be without our doing.
func Keys() []string {
	return []string{
		"ssl.protocol", "ssl.enabled.protocols", "ssl.cipher.suites", identification, "ssl.client.auth",
		"ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.password", "ssl.keystore.key", "ssl.keystore.certificate.chain", "ssl.key.password",
		"ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.password", "ssl.truststore.certificates",
		"ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation",
	}
}

// Files are the files that a server's configuration is read from.
func Files(props map[string]string, prefix string) []string {
	var files []string
	for _, key := range []string{"ssl.keystore.location", "ssl.truststore.location"} {
		if path := strings.TrimSpace(props[prefix+key]); path != "" {
			files = append(files, path)
		}
	}
	return files
}

// verifyChainOnly trusts a certificate of any name.
func verifyChainOnly(c *tls.Config) {
	roots := c.RootCAs
	c.InsecureSkipVerify = true // VerifyConnection does what is left of it
	c.VerifyConnection = func(state tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range state.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(opts)
		return err
	}
}

// common reads what both sides have.
func (r *reader) common() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	r.versions(c)
	if list, ok := r.text("ssl.cipher.suites"); ok && list != "" {
		c.CipherSuites = r.suites(names(list))
	}
	return c
}

func (r *reader) versions(c *tls.Config) {
	const name = "ssl.enabled.protocols"
	known := map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
	for _, key := range []string{"ssl.protocol", name} {
		text, _ := r.text(key)
		var least, most uint16
		for _, p := range names(text) {
			v, ok := known[p]
			if key == "ssl.protocol" && p == "TLS" { // Java's name for any version
				continue
			}
			if !ok {
				r.wrong(key, "must be of TLSv1.2, TLSv1.3")
				continue
			}
			if least == 0 || v < least {
				least = v
			}
			most = max(most, v)
		}
		if key == name && least > 0 {
			c.MinVersion, c.MaxVersion = least, most
		}
	}
}

func (r *reader) suites(wanted []string) []uint16 {
	var ids []uint16
	for _, name := range wanted {
		found := false
		for _, suite := range tls.CipherSuites() {
			if suite.Name == name {
				ids, found = append(ids, suite.ID), true
			}
		}
		if !found {
			r.wrong("ssl.cipher.suites", name+" is not known or not safe")
		}
	}
	return ids
}
