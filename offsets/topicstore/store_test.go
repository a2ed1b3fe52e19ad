package topicstore_test

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/offsets"
	"millrace/offsets/offsetstest"
	"millrace/offsets/topiclog"
	"millrace/offsets/topicstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	offsetstest.Run(t, func(t *testing.T) offsetstest.Opener {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		stop := func() {}
		t.Cleanup(func() { stop() })
		return func(t *testing.T) offsets.Store {
			stop()
			s, err := topicstore.Open(t.Context(), topiclog.Config{
				Topic: "connect-offsets", Partitions: 5, ReplicationFactor: 3, ReplicationFactorAtMost: true,
				Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			stop = func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				s.Close()
				stop = func() {}
			}
			return s
		}
	})
}
