package runtime

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strings"

	"millrace/runtime/state"
)

// The headers of a signed request between workers.
const (
	SignatureHeader          = "X-Connect-Authorization"
	SignatureAlgorithmHeader = "X-Connect-Request-Signature-Algorithm"
)

// signatures are the algorithms by Java's names.
var signatures = map[string]func() hash.Hash{
	"HmacSHA1": sha1.New, "HmacSHA224": sha256.New224, "HmacSHA256": sha256.New, "HmacSHA384": sha512.New384, "HmacSHA512": sha512.New, "HmacMD5": md5.New,
}

// sign adds the signature of a request's body.
func sign(header http.Header, k *state.SessionKey, algorithm string, body []byte) error {
	sum, err := mac(k, algorithm, body)
	if err != nil {
		return err
	}
	header.Set(SignatureHeader, base64.StdEncoding.EncodeToString(sum))
	header.Set(SignatureAlgorithmHeader, algorithm)
	return nil
}

func mac(k *state.SessionKey, algorithm string, body []byte) ([]byte, error) {
	newHash := signatures[algorithm]
	if newHash == nil {
		return nil, fmt.Errorf("signature algorithm %q is not available", algorithm)
	}
	key, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil {
		return nil, fmt.Errorf("the session key is not base64: %w", err)
	}
	m := hmac.New(newHash, key)
	m.Write(body) // never fails
	return m.Sum(nil), nil
}

// checkSignature checks a request from another worker, with Kafka Connect's texts.
func (h *herder) checkSignature(header http.Header, body []byte) error {
	signature, algorithm := header.Get(SignatureHeader), header.Get(SignatureAlgorithmHeader)
	accepted := []string{"HmacSHA256"}
	if h.cfg.Mode == Distributed {
		accepted = h.cfg.Values.List("inter.worker.verification.algorithms")
	}
	if !slices.Contains(accepted, algorithm) {
		return Errorf(KindBadRequest, "This worker does not support the '%s' key signing algorithm used by other workers. "+
			"This worker is currently configured to use: [%s]. Check that all workers' configuration files permit the same set of signature algorithms, "+
			"and correct any misconfigured worker and restart it.", algorithm, strings.Join(accepted, ", "))
	}
	given, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return Errorf(KindBadRequest, "Internal request has a signature that is not base64")
	}
	if !h.isReady() {
		return Errorf(KindUnavailable, "This worker is still starting up and has not been able to read a session key from the config topic yet")
	}
	k := h.configs.SessionKey()
	if k == nil && h.cfg.Mode == Standalone {
		return Errorf(KindForbidden, "Internal request contained invalid signature.")
	}
	if k == nil {
		return Errorf(KindUnavailable, "This worker is still starting up and has not been able to read a session key from the config topic yet")
	}
	want, err := mac(k, algorithm, body)
	if err != nil {
		return Errorf(KindBadRequest, "%s", err)
	}
	if !hmac.Equal(want, given) {
		return Errorf(KindForbidden, "Internal request contained invalid signature.")
	}
	return nil
}
