package filestore

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/offsets"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(encode(nil))
	f.Add(encode([]offsets.Pair{{Key: []byte("a"), Value: []byte("b")}, {Key: []byte("c")}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		pairs, err := decode(data)
		if err != nil {
			return
		}
		again, err := decode(encode(pairs))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(pairs, again, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}
