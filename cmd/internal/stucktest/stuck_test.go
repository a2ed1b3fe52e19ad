package stucktest_test

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/goleak"

	"millrace/broker"
	"millrace/broker/brokertest"
	"millrace/cmd/internal/proc"
	"millrace/cmd/internal/stucktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var window = flag.Duration("stuck.window", 2*time.Second, "how long rates are measured, before and during")

const (
	others = 5
	rate   = 2000 // records a second of each
	text   = "org.apache.kafka.connect.storage.StringConverter"
)

// TestStuckTopic measures connectors that share a producer with one whose topic takes no writes.
func TestStuckTopic(t *testing.T) {
	bin, err := proc.Build(t.Context(), "millrace/cmd/millrace", t.TempDir())
	check(t, err)
	for _, c := range []struct {
		name string
		mode stucktest.Mode
	}{
		{"refuses with NOT_ENOUGH_REPLICAS", stucktest.Mode{Refuse: kerr.NotEnoughReplicas.Code}},
		{"refuses with NOT_ENOUGH_REPLICAS_AFTER_APPEND", stucktest.Mode{Refuse: kerr.NotEnoughReplicasAfterAppend.Code}},
		{"hangs", stucktest.Mode{Hang: true}},
	} {
		t.Run(c.name, func(t *testing.T) { stuck(t, bin, c.mode) })
	}
}

func stuck(t *testing.T, bin string, mode stucktest.Mode) {
	var log *brokertest.Cluster
	started := make(chan struct{})
	proxy, err := stucktest.NewProxy("stuck", func() string {
		<-started
		return log.Broker().Addrs()[0].String()
	})
	check(t, err)
	log = brokertest.Start(t, func(c *broker.Config) { c.Listeners[0].Advertised = proxy.Addr() })
	close(started)
	t.Cleanup(func() { check(t, proxy.Close()) })
	admin := kadm.NewClient(log.Client())
	topics := []string{"stuck"}
	for i := range others {
		topics = append(topics, "other-"+strconv.Itoa(i))
	}
	_, err = admin.CreateTopics(t.Context(), 1, 1, nil, topics...)
	check(t, err)
	listed, err := admin.ListTopics(t.Context(), "stuck")
	check(t, err)
	proxy.Topic(listed["stuck"].ID)

	w, err := proc.NewWorker(bin, t.TempDir())
	check(t, err)
	w.Bootstrap = proxy.Addr()
	check(t, w.Start())
	t.Cleanup(func() { check(t, w.Kill()) })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	check(t, w.Ready(ctx))
	for _, topic := range topics {
		check(t, w.Create(ctx, topic, map[string]string{"connector.class": "VerifiableSourceConnector", "topic": topic, "throughput": strconv.Itoa(rate),
			"key.converter": text, "value.converter": text}))
	}
	for _, topic := range topics {
		check(t, w.Running(ctx, topic, 1))
	}
	m := &meter{admin: admin}
	m.run(t, time.Second) // all have begun
	before := m.run(t, *window)
	proxy.Set(mode)
	eventually(t, ctx, func() bool { return proxy.Stuck() > 0 })
	during := m.run(t, 2**window)
	proxy.Set(stucktest.Mode{})
	held := during.ends["stuck"]
	eventually(t, ctx, func() bool { return m.ends(t)["stuck"] > held+rate })

	t.Logf("%-10s %12s %12s %22s", "topic", "before", "during", "longest pause during")
	for _, topic := range topics {
		t.Logf("%-10s %10.0f/s %10.0f/s %20d ms", topic, before.rate[topic], during.rate[topic], during.pause[topic].Milliseconds())
		if mode.Hang {
			continue // a hanging request holds up its connection, and the others share it
		}
		if topic == "stuck" {
			if during.rate[topic] > before.rate[topic]/10 {
				t.Errorf("the stuck topic took records: the test shows nothing")
			}
		} else if during.rate[topic] < 0.8*before.rate[topic] {
			t.Errorf("%s is slowed down: %.0f records a second before, %.0f during", topic, before.rate[topic], during.rate[topic])
		}
	}
}

// A meter reads the ends of the topics.
type meter struct{ admin *kadm.Client }

type measured struct {
	rate  map[string]float64
	pause map[string]time.Duration // the longest time in which no record came
	ends  map[string]int64
}

func (m *meter) ends(t *testing.T) map[string]int64 {
	t.Helper()
	listed, err := m.admin.ListEndOffsets(t.Context())
	check(t, err)
	ends := make(map[string]int64)
	listed.Each(func(o kadm.ListedOffset) { ends[o.Topic] += o.Offset })
	return ends
}

func (m *meter) run(t *testing.T, d time.Duration) measured {
	t.Helper()
	r := measured{rate: make(map[string]float64), pause: make(map[string]time.Duration)}
	begin := time.Now()
	first := m.ends(t)
	last, moved := first, make(map[string]time.Time)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for time.Since(begin) < d {
		<-tick.C
		now := time.Now()
		r.ends = m.ends(t)
		for topic, end := range r.ends {
			since, ok := moved[topic]
			if !ok {
				since = begin
			}
			r.pause[topic] = max(r.pause[topic], now.Sub(since))
			if end > last[topic] {
				moved[topic] = now
			}
		}
		last = r.ends
	}
	for topic, end := range r.ends {
		r.rate[topic] = float64(end-first[topic]) / time.Since(begin).Seconds()
	}
	return r
}

func eventually(t *testing.T, ctx context.Context, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(fmt.Errorf("it does not happen: %w", context.Cause(ctx)))
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
