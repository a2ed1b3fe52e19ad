package runtime_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"millrace/broker/brokertest"
	"millrace/runtime"
	"millrace/runtime/kafkatest"
)

// TestOverrides_lead_to_a_listener_of_their_own: the worker speaks plainly, a connector's clients SASL over TLS.
func TestOverrides_lead_to_a_listener_of_their_own(t *testing.T) {
	k := kafkatest.Start(t)
	w := startWorkerOn(t, k)
	secure := func(kind string) []string {
		prefix := kind + ".override."
		return []string{
			prefix + "bootstrap.servers", k.SecureAddr, prefix + "security.protocol", "SASL_SSL", prefix + "sasl.mechanism", "PLAIN",
			prefix + "sasl.jaas.config", fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required username=%q password=%q;`,
				kafkatest.PlainUser, kafkatest.PlainPassword),
			prefix + "ssl.truststore.location", k.Identity.TrustPKCS12, prefix + "ssl.truststore.password", kafkatest.Password,
		}
	}
	w.fakes.source("n").limit.Store(10)
	w.put(numbers("n", append(append(secure("producer"), secure("admin")...),
		"topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1")...))
	w.put(lister("s", "n", secure("consumer")...))
	target := w.fakes.sink("s")
	eventually(t, "all records are put", func() bool { return target.count() == 10 })

	// A password that is wrong stops nobody else, and is not shown.
	w.put(lister("wrong", "n", append(secure("consumer"), "consumer.override.ssl.truststore.password", "guessed wrong")...))
	st := w.await("wrong", runtime.StateRunning, runtime.StateFailed)
	if trace := st.Tasks[0].Trace; !strings.Contains(trace, "ssl.truststore.location: the truststore cannot be read") ||
		strings.Contains(trace, "guessed") || strings.Contains(trace, kafkatest.PlainPassword) {
		t.Errorf("trace = %s", trace)
	}
	w.fakes.source("n").limit.Store(20)
	eventually(t, "more records are put", func() bool { return target.count() == 20 })
}

// TestOverrides_without_meaning are named in one line for each connector.
func TestOverrides_without_meaning(t *testing.T) {
	said := &lines{}
	w := startWorkerOn(t, brokertest.Start(t, quickGroups), func(c *runtime.Config) {
		c.Log = slog.New(slog.NewTextHandler(said, nil))
	})
	w.produce("lines", "a")
	w.put(lister("s", "lines", "tasks.max", "3", "consumer.override.interceptor.classes", "com.example.I", "consumer.override.fetch.min.bytes", "2",
		"producer.override.buffer.memory", "9", "errors.deadletterqueue.topic.name", "dead", "errors.deadletterqueue.topic.replication.factor", "1"))
	w.await("s", runtime.StateRunning, runtime.StateRunning, runtime.StateRunning, runtime.StateRunning)
	w.stop()
	got := said.with("no meaning here")
	want := "keys=producer.override.buffer.memory,consumer.override.interceptor.classes"
	if len(got) != 1 || !strings.Contains(got[0], want) || !strings.Contains(got[0], "connector=s") {
		t.Errorf("the log has %q, want one line with %s", got, want)
	}
}

// lines is a log that can be searched.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.all.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}
