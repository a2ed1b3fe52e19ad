package sslconfig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// A format is how a store is written. As in Java, JKS and PKCS12 are told apart by their first bytes, whatever the type says.
type format int

const (
	formatPEM format = iota
	formatPKCS12
	formatJKS
)

func formatOf(data []byte, typ string) (format, error) {
	switch {
	case strings.EqualFold(typ, "PEM"):
		return formatPEM, nil
	case typ != "" && !strings.EqualFold(typ, "JKS") && !strings.EqualFold(typ, "PKCS12"):
		return 0, errors.New("must be JKS, PKCS12 or PEM")
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return formatJKS, nil
	case bytes.HasPrefix(data, []byte{0x30}):
		return formatPKCS12, nil
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return 0, errors.New("must be PEM for a file of that format")
	}
	return 0, errors.New("the file is neither JKS nor PKCS12")
}

// truststore returns the roots; nil, the system's, if none is set.
func (r *reader) truststore() *x509.CertPool {
	const prefix = "ssl.truststore."
	data := r.material(prefix+"certificates", prefix+"location")
	return r.roots(prefix, "certificates", data)
}

// rootsOfKeystore are the certificates of the keystore.
func (r *reader) rootsOfKeystore() *x509.CertPool {
	const prefix = "ssl.keystore."
	data := r.material(prefix+"certificate.chain", prefix+"location")
	return r.roots(prefix, "certificate.chain", data)
}

// roots reads the store whose settings begin with prefix.
func (r *reader) roots(prefix, inline string, data []byte) *x509.CertPool {
	if data == nil {
		return nil
	}
	typ, _ := r.text(prefix + "type")
	password, _ := r.text(prefix + "password")
	f, err := formatOf(data, typ)
	if err != nil {
		r.wrong(prefix+"type", err.Error())
		return nil
	}
	var certs []*x509.Certificate
	switch f {
	case formatPEM:
		certs, err = pemCertificates(data)
	case formatPKCS12:
		certs, err = pkcs12Roots(data, password)
	case formatJKS:
		certs, err = jksRoots(data, password)
	}
	if err == nil && len(certs) == 0 {
		err = errors.New("it has no certificate")
	}
	if err != nil {
		r.wrong(r.storeKey(prefix, inline), "the truststore cannot be read: "+err.Error())
		return nil
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}

// storeKey is the key that holds a store or tells where it is.
func (r *reader) storeKey(prefix, inline string) string {
	if r.props[r.prefix+prefix+"location"] != "" {
		return prefix + "location"
	}
	return prefix + inline
}

// keystore returns the own certificate, if one is set.
func (r *reader) keystore() (tls.Certificate, bool) {
	const prefix = "ssl.keystore."
	data := r.material(prefix+"key", prefix+"location")
	typ, _ := r.text(prefix + "type")
	password, _ := r.text(prefix + "password")
	keyPassword, ok := r.text("ssl.key.password")
	if !ok {
		keyPassword = password
	}
	chain, _ := r.text(prefix + "certificate.chain")
	if data == nil {
		return tls.Certificate{}, false
	}
	f, err := formatOf(data, typ)
	if err != nil {
		r.wrong(prefix+"type", err.Error())
		return tls.Certificate{}, false
	}
	var own tls.Certificate
	switch f {
	case formatPEM:
		own, err = pemKeyPair(append(append(data, '\n'), chain...), keyPassword)
	case formatPKCS12:
		own, err = pkcs12KeyPair(data, password)
	case formatJKS:
		own, err = jksKeyPair(data, password, keyPassword)
	}
	if err != nil {
		r.wrong(r.storeKey(prefix, "key"), "the keystore cannot be read: "+err.Error())
		return tls.Certificate{}, false
	}
	return own, true
}

func pemCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return certs, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
}

// pemKeyPair reads a private key in PKCS#8, which may be encrypted, and a chain of certificates.
func pemKeyPair(data []byte, password string) (tls.Certificate, error) {
	plain, err := decryptPEM(data, password)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(plain, plain)
}

// pkcs12Roots reads a store of certificates, or the certificates beside a key.
func pkcs12Roots(data []byte, password string) ([]*x509.Certificate, error) {
	certs, err := pkcs12.DecodeTrustStore(data, password)
	if err == nil {
		return certs, nil
	}
	_, own, more, kerr := pkcs12.DecodeChain(data, password)
	if kerr != nil {
		return nil, err
	}
	return append([]*x509.Certificate{own}, more...), nil
}

func pkcs12KeyPair(data []byte, password string) (tls.Certificate, error) {
	key, own, chain, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return tls.Certificate{}, err
	}
	signer, err := signerOf(key)
	pair := tls.Certificate{Certificate: [][]byte{own.Raw}, PrivateKey: signer}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, err
}

func loadJKS(data []byte, password string) (jks.KeyStore, error) {
	ks := jks.New(jks.WithOrderedAliases())
	err := ks.Load(bytes.NewReader(data), []byte(password))
	return ks, err
}

func jksRoots(data []byte, password string) ([]*x509.Certificate, error) {
	ks, err := loadJKS(data, password)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, alias := range ks.Aliases() {
		var raw []byte
		if entry, err := ks.GetTrustedCertificateEntry(alias); err == nil {
			raw = entry.Certificate.Content
		} else if chain, err := ks.GetPrivateKeyEntryCertificateChain(alias); err == nil && len(chain) > 0 {
			raw = chain[0].Content
		} else {
			continue
		}
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", alias, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// jksKeyPair takes the first key of the store.
func jksKeyPair(data []byte, password, keyPassword string) (tls.Certificate, error) {
	ks, err := loadJKS(data, password)
	if err != nil {
		return tls.Certificate{}, err
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(keyPassword))
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("entry %s: %w", alias, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("entry %s: %w", alias, err)
		}
		signer, err := signerOf(key)
		pair := tls.Certificate{PrivateKey: signer}
		for _, c := range entry.CertificateChain {
			pair.Certificate = append(pair.Certificate, c.Content)
		}
		return pair, err
	}
	return tls.Certificate{}, errors.New("it has no private key")
}

func signerOf(key any) (crypto.Signer, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("a key of type %T cannot sign", key)
}
