package clients

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
)

// tlsConfig reads ssl.*. It is never nil; mistakes are in s.
func tlsConfig(s *settings) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	c.RootCAs = truststore(s)
	if own, ok := keystore(s); ok {
		c.Certificates = []tls.Certificate{own}
	}
	if algorithm, set := s.text("ssl.endpoint.identification.algorithm"); set && algorithm == "" {
		verifyChainOnly(c)
	} else if set && !strings.EqualFold(algorithm, "https") {
		s.wrong("ssl.endpoint.identification.algorithm", "must be https, or empty for no check of the host's name")
	}
	versions(s, c)
	if names, ok := s.text("ssl.cipher.suites"); ok && names != "" {
		c.CipherSuites = suites(s, split(names))
	}
	s.accept("ssl.client.auth", "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation")
	return c
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

func versions(s *settings, c *tls.Config) {
	const name = "ssl.enabled.protocols"
	known := map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
	for _, key := range []string{"ssl.protocol", name} {
		text, _ := s.text(key)
		var least, most uint16
		for _, p := range split(text) {
			v, ok := known[p]
			if !ok {
				s.wrong(key, "must be of TLSv1.2, TLSv1.3")
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

func suites(s *settings, names []string) []uint16 {
	var ids []uint16
	for _, name := range names {
		found := false
		for _, suite := range tls.CipherSuites() {
			if suite.Name == name {
				ids, found = append(ids, suite.ID), true
			}
		}
		if !found {
			s.wrong("ssl.cipher.suites", name+" is not known or not safe")
		}
	}
	return ids
}

// material reads a store's bytes: inline PEM under key inline, or the file under key location. nil: neither is set.
func (s *settings) material(inline, location string) []byte {
	if text, ok := s.text(inline); ok && text != "" {
		return []byte(text)
	}
	path, ok := s.text(location)
	if !ok || path == "" {
		return nil
	}
	data, err := readFile(path)
	if err != nil {
		s.wrong(location, err.Error())
	}
	return data
}

// storeMost bounds the size of a store.
const storeMost = 16 << 20

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", path)
	case info.Size() > storeMost:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, storeMost)
	}
	return os.ReadFile(path)
}
