package clients_test

import (
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/broker/brokertest"
	"millrace/plugins/clients"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProducer_partitions(t *testing.T) {
	b := brokertest.Start(t)
	b.CreateTopic("t", 8)
	cfg := clients.Config{Bootstrap: []string{b.Addr()}, Dialer: b.DialContext, Log: slog.Default()}
	p, err := cfg.Producer("p", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	tests := []struct {
		key       string
		partition int32 // as asked for, -1 none
	}{{"a", 5}, {"", 3}, {"21", -1}, {"foobar", -1}, {"a longer key", -1}}
	for _, tt := range tests {
		r := &kgo.Record{Topic: "t", Partition: tt.partition, Value: []byte("v")}
		if tt.key != "" {
			r.Key = []byte(tt.key)
		}
		if err := p.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		want := tt.partition
		if want < 0 { // where Java's producer puts the key
			want = int32(murmur2([]byte(tt.key))&0x7fffffff) % 8
		}
		if r.Partition != want {
			t.Errorf("key %q, partition %d: written to %d, want %d", tt.key, tt.partition, r.Partition, want)
		}
	}
	r := &kgo.Record{Topic: "t", Partition: 9, Value: []byte("v")}
	if err := p.ProduceSync(t.Context(), r).FirstErr(); err == nil {
		t.Error("a partition that is not there was accepted")
	}
}

// murmur2 is the hash of Java's producer.
func murmur2(data []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(data))
	for len(data) >= 4 {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> 24
		k *= m
		h = h*m ^ k
		data = data[4:]
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
