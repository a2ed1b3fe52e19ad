package group_test

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"millrace/broker"
	"millrace/broker/brokertest"
	"millrace/broker/group"
)

// BenchmarkCommit is one offset per OffsetCommit, acknowledged from the disk, by many clients at once.
func BenchmarkCommit(b *testing.B) {
	c := brokertest.Start(b, func(c *broker.Config) { c.Groups = group.EmbeddedSettings() })
	c.CreateTopic("t", 1)
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		adm := kadm.NewClient(c.Client())
		id := "g" + string(rune('a'+n.Add(1)))
		for pb.Next() {
			var o kadm.Offsets
			o.AddOffset("t", 0, n.Add(1), -1)
			if err := adm.CommitAllOffsets(b.Context(), id, o); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
