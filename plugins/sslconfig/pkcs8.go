package sslconfig

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// An encrypted key in PKCS#8 (RFC 5958) with PBES2 (RFC 8018):
//
//	EncryptedPrivateKeyInfo { PBES2 { PBKDF2 { salt, iterations, length, prf }, AES-CBC { iv } }, data }
type encryptedKey struct {
	Algorithm struct {
		ID     asn1.ObjectIdentifier
		Params pbes2
	}
	Data []byte
}

type pbes2 struct {
	KeyDerivation struct {
		ID     asn1.ObjectIdentifier
		Params struct {
			Salt       []byte
			Iterations int
			Length     int                      `asn1:"optional"`
			PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
		}
	}
	Cipher struct {
		ID asn1.ObjectIdentifier
		IV []byte
	}
}

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
)

// The functions and key lengths of PBES2 that are not broken.
var (
	prfs = map[string]func() hash.Hash{
		"":                    sha1.New, // the default
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}
	aesKeys = map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}
)

// iterationsMost bounds the work that a key's file can ask for.
const iterationsMost = 1_000_000

var errPassword = errors.New("ssl.key.password is wrong, or the key is damaged")

// decryptPEM replaces encrypted keys in a PEM text by plain ones.
func decryptPEM(data []byte, password string) ([]byte, error) {
	var out []byte
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return out, nil
		}
		data = rest
		if block.Type == "ENCRYPTED PRIVATE KEY" {
			plain, err := decryptPKCS8(block.Bytes, password)
			if err != nil {
				return nil, err
			}
			block = &pem.Block{Type: "PRIVATE KEY", Bytes: plain}
		}
		out = append(out, pem.EncodeToMemory(block)...)
	}
}

func decryptPKCS8(der []byte, password string) ([]byte, error) {
	const help = "is not supported; encrypt the key with openssl pkcs8 -topk8 -v2 aes-256-cbc"
	var outer struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return nil, errors.New("the encrypted key is damaged")
	}
	if id := outer.Algorithm.Algorithm.String(); id != oidPBES2 {
		return nil, fmt.Errorf("encryption %s %s", id, help)
	}
	var key encryptedKey
	if _, err := asn1.Unmarshal(der, &key); err != nil {
		return nil, errors.New("the encrypted key is damaged")
	}
	kdf, enc := key.Algorithm.Params.KeyDerivation, key.Algorithm.Params.Cipher
	prf, ok := prfs[kdf.Params.PRF.Algorithm.String()]
	if kdf.ID.String() != oidPBKDF2 || !ok {
		return nil, fmt.Errorf("key derivation %s with %s %s", kdf.ID, kdf.Params.PRF.Algorithm, help)
	}
	size, ok := aesKeys[enc.ID.String()]
	if !ok {
		return nil, fmt.Errorf("cipher %s %s", enc.ID, help)
	}
	if n := kdf.Params.Iterations; n < 1 || n > iterationsMost {
		return nil, fmt.Errorf("the encrypted key wants %d iterations; must be 1 to %d", n, iterationsMost)
	}
	if len(enc.IV) != aes.BlockSize || len(key.Data) == 0 || len(key.Data)%aes.BlockSize != 0 {
		return nil, errors.New("the encrypted key is damaged")
	}
	secret, err := pbkdf2.Key(prf, password, kdf.Params.Salt, kdf.Params.Iterations, size)
	if err != nil {
		return nil, err
	}
	c, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(c, enc.IV).CryptBlocks(plain, key.Data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > aes.BlockSize {
		return nil, errPassword
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, errPassword
		}
	}
	return plain[:len(plain)-pad], nil
}
