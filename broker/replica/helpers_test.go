package replica_test

import (
	"testing"

	"millrace/broker/batch"
)

// lastOffset is the offset of the last record of some whole batches.
func lastOffset(t testing.TB, records []byte) int64 {
	t.Helper()
	last := int64(-1)
	for len(records) > 0 {
		b, rest, err := batch.Frame(records)
		if err != nil {
			t.Fatal(err)
		}
		last, records = b.LastOffset(), rest
	}
	return last
}
