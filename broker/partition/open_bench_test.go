package partition_test

import (
	"fmt"
	"testing"

	"millrace/broker/partition"
)

// BenchmarkOpen opens and closes a data directory of 100 partitions.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	built := benchBatch(b, 8)
	for b.Loop() {
		m, err := partition.OpenManager(partition.ManagerConfig{Dir: dir, NodeID: 1})
		if err != nil {
			b.Fatal(err)
		}
		for i := range 100 {
			p, err := m.Ensure(fmt.Sprintf("topic-%d", i), [16]byte{byte(i + 1)}, 0, partition.DefaultSettings())
			if err != nil {
				b.Fatal(err)
			}
			if p.LogEndOffset() == 0 {
				if _, err := p.Append(-1, append([]byte{}, built...), partition.AppendOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.StopTimer()
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
