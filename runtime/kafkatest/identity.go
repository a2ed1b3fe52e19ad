package kafkatest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// Password is that of every store and key of an Identity.
const Password = "changeit"

// An Identity is a key with a certificate that signs itself, in every format.
type Identity struct {
	Pair tls.Certificate
	Leaf *x509.Certificate
	// CertPEM and KeyPEM are texts.
	CertPEM, KeyPEM string
	// The others are paths of stores.
	KeyPKCS12, KeyJKS, TrustPKCS12, TrustJKS string
}

// NewIdentity makes an identity for a host's name or address.
func NewIdentity(t testing.TB, host string) *Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	id := &Identity{
		Pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, Leaf: leaf,
		CertPEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		KeyPEM:  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
	}
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, data, 0o600))
		return path
	}
	keys, err := pkcs12.Modern.Encode(key, leaf, nil, Password)
	check(t, err)
	trust, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{leaf}, Password)
	check(t, err)
	id.KeyPKCS12, id.TrustPKCS12 = file("key.p12", keys), file("trust.p12", trust)

	cert := jks.Certificate{Type: "X509", Content: der}
	own, roots := jks.New(), jks.New()
	check(t, own.SetPrivateKeyEntry("me", jks.PrivateKeyEntry{
		CreationTime: time.Now(), PrivateKey: pkcs8, CertificateChain: []jks.Certificate{cert}}, []byte(Password)))
	check(t, roots.SetTrustedCertificateEntry("root", jks.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: cert}))
	id.KeyJKS, id.TrustJKS = file("key.jks", stored(t, own)), file("trust.jks", stored(t, roots))
	return id
}

func stored(t testing.TB, ks jks.KeyStore) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, ks.Store(&b, []byte(Password)))
	return b.Bytes()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
