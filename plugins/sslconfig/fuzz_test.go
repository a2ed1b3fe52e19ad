package sslconfig

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

func FuzzDecryptPKCS8(f *testing.F) {
	files, err := filepath.Glob("testdata/me.aes*.pem")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		block, _ := pem.Decode(data)
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		// Only that it neither panics nor works for ever: there is nothing to compare with.
		if plain, err := decryptPKCS8(der, "changeit"); err == nil && len(plain) >= len(der) {
			t.Error("the key grew")
		}
	})
}
